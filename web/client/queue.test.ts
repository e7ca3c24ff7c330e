import { expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { memoryUploadStore } from "./memory-upload-store.ts";
import { UploadQueue, type UploadQueueOptions } from "./queue.ts";
import { QUEUE_BYTES, QUEUE_COUNT, type WaitingUpload } from "./upload-store.ts";

type Unsure = (place: object, sealed: object, described: object) => Promise<void>;
type Sealing = { name: string; unsure: Unsure; resumable?: true; onUpload: (place: object) => void };
const CONTENT = { messageId: "m".repeat(43), headerDigest: "h".repeat(43) };

/** A queue whose ciphertext is its plaintext, and a datastore that answers by `answer`. */
function setup(
  answer: (path: string) => CofferError | undefined = () => undefined,
  pause: () => Promise<void> = async () => {},
) {
  const changes: (string | undefined)[] = [];
  const store = memoryUploadStore();
  const stored = new Map<string, Map<string, string>>();
  const [entered, removed, loaded]: [string[], string[], Set<string>] = [[], [], new Set()];
  let signedIn = "t/ada";
  const options = {
    store,
    rest: {
      async json(method: string, path: string, { json }: { json: object }) {
        await pause();
        const refused = answer(path);
        if (refused) throw refused;
        const bodies = stored.get(path) ?? new Map<string, string>();
        bodies.set(method, JSON.stringify(json));
        stored.set(path, bodies);
        return { size: (json as { content: string }).content.length > 0 ? 4 : 0, etag: "e" };
      },
    },
    microservice: {
      use: async () => ({
        instance: {},
        port: {
          has: async (edk: string) => loaded.has(edk),
          inspect: async () => ({ edk: "edk" }),
        },
      }),
    },
    keys: {
      have: async (edks: string[]) => new Set(edks),
      ready: async (_account: string, count: number) => {
        const edks = Array.from({ length: count }, (_, i) => `ready-${loaded.size + i}`);
        for (const edk of edks) loaded.add(edk);
        return edks;
      },
      take: async () => {
        throw new CofferError("offline");
      },
    },
    documents: {
      async seal(source: Blob, account: string, { name, unsure, resumable, onUpload }: Sealing) {
        const place = { account, id: crypto.randomUUID() };
        const failed = answer("/documents");
        if (resumable) onUpload(place);
        if (!failed) return place;
        if (resumable) throw failed;
        const sealed = { content: utf8(await source.text()), name: CONTENT, metadata: utf8("sealed") };
        if (failed.status === undefined) await unsure(place, sealed, { name, type: "b", size: 4 });
        throw failed;
      },
      async sealApart(
        _place: object,
        { source, keep }: { source: Blob; keep: (s: unknown) => Promise<Blob> },
      ) {
        return { content: await keep(source.stream()), name: CONTENT, metadata: utf8("sealed") };
      },
      named: async () => ({ metadata: { name: "a", type: "b", size: 4 }, content: CONTENT }),
      listedCopy: async () => undefined,
      enter: async ({ id }: { id: string }) => void entered.push(id),
      async remove(id: string) {
        const refused = answer("/documents");
        if (refused) throw refused;
        removed.push(id);
      },
    },
    owner: () => signedIn,
    now: () => 1_000,
    onChange: (sent?: string) => void changes.push(sent),
  } as unknown as UploadQueueOptions;
  const queue = new UploadQueue(options);
  const become = (owner: string) => (signedIn = owner);
  return { queue, store, stored, entered, removed, loaded, become, changes };
}

const row = (id: string, size: number): WaitingUpload => ({
  ...{ id, size, account: "one", created: 1, metadata: utf8("sealed"), content: CONTENT },
});

it("M18 takes no more than so many documents and bytes, of each person, and says so before it seals", async () => {
  const { queue, store, become } = setup(() => new CofferError("offline"));
  await queue.prepare("one");
  for (let at = 0; at < QUEUE_COUNT; at++) await store.add("t/ada", row(`row-${at}`, 1), new Blob());
  const keys = await store.keys("t/ada", "one");
  expect(await queue.add(new Blob(["text"]), "one").catch(codeOf)).toBe("queue-full");
  expect(await store.keys("t/ada", "one")).toEqual(keys);
  become("t/bob");
  await store.add("t/bob", row("large", QUEUE_BYTES - 3), new Blob());
  expect(await queue.add(new Blob(["text"]), "one").catch(codeOf)).toBe("queue-full");
  await store.remove("t/bob", "large");
  await queue.prepare("one");
  expect(await queue.add(new Blob(["text"]), "one").catch(codeOf)).toMatchObject({ account: "one", size: 4 });
});

it("M18 gives each key to one document, and seals by none that is not loaded", async () => {
  const { queue, store } = setup(() => new CofferError("offline"));
  await store.keepKeys("t/ada", "one", ["never loaded"]);
  expect(await queue.add(new Blob(["text"]), "one").catch(codeOf)).toBe("offline");
  expect(await store.keys("t/ada", "one")).toEqual([]);
  await queue.prepare("one");
  const before = await store.keys("t/ada", "one");
  await Promise.all([1, 2, 3].map(() => queue.add(new Blob(["text"]), "one")));
  const left = await store.keys("t/ada", "one");
  expect(before.slice(0, 3).some((edk) => left.includes(edk))).toBe(false);
});

it("M18 puts no more keys by than are ready, however often they end", async () => {
  const { queue, store, loaded } = setup();
  const seen = new Set<string>();
  for (let day = 0; day < 5; day++) {
    await queue.prepare("one");
    const kept = await store.keys("t/ada", "one");
    expect(kept.length).toBe(8);
    expect(kept.every((edk) => loaded.has(edk))).toBe(true);
    for (const edk of kept) seen.add(edk);
    // Another instance has none of them.
    for (const edk of kept.slice(day)) loaded.delete(edk);
    loaded.add(`of day ${day}`);
  }
  expect(seen.size).toBeGreaterThan(8);
});

it("M18 keeps what is refused for good with its code and goes on with the others, until somebody asks again", async () => {
  let full = true;
  const { queue, store, stored, entered } = setup((path) =>
    full && path.includes("/one/") ? new CofferError("quota-exceeded", { status: 403 }) : undefined,
  );
  for (const account of ["one", "two"]) await queue.prepare(account);
  const refused = await queue.add(new Blob(["text"]), "one");
  const sent = await queue.add(new Blob(["text"]), "two");
  await expect.poll(() => entered).toEqual([sent.id]);
  await expect
    .poll(async () => (await store.rows("t/ada")).map(({ id, refused }) => [id, refused]))
    .toEqual([[refused.id, "quota-exceeded"]]);
  full = false;
  await queue.send();
  expect(new Set(entered)).toEqual(new Set([sent.id, refused.id]));
  expect(stored.size).toBe(2);
});

it("M18 throws away no document that nobody has given up, be its account not the user's any more, and says what was sent and nothing else", async () => {
  const { queue, store, changes } = setup((path) =>
    path.includes("/shredded/") ? new CofferError("forbidden", { status: 403 }) : undefined,
  );
  await queue.prepare("shredded");
  await queue.prepare("one");
  const lost = await queue.add(new Blob(["text"]), "shredded");
  const sent = await queue.add(new Blob(["text"]), "one");
  await queue.send();
  expect(await queue.list()).toMatchObject([{ id: lost.id, refused: "forbidden" }]);
  expect((await store.content("t/ada", lost.id))?.size).toBe(4);
  expect(changes.filter((id) => id !== undefined)).toEqual([sent.id]);
  await queue.cancel(lost.id);
  await queue.send();
  expect(await store.rows("t/ada")).toEqual([]);
  expect(changes.filter((id) => id !== undefined)).toEqual([sent.id]);
});

it("M18 what another tab has given up stays so, whatever this one makes of it meanwhile", async () => {
  let asked = () => {};
  const under = new Promise<void>((resolve) => (asked = resolve));
  let answered = () => {};
  const answer = new Promise<void>((resolve) => (answered = resolve));
  const { queue, store, removed } = setup(
    (path) => (path.includes("/one/") ? new CofferError("quota-exceeded", { status: 403 }) : undefined),
    async () => {
      asked();
      await answer;
    },
  );
  await queue.prepare("one");
  const { id } = await queue.add(new Blob(["text"]), "one");
  await under;
  // The other tab's `cancel`, of what was asked for.
  await store.update("t/ada", id, { cancelled: true });
  answered();
  await expect.poll(async () => (await store.rows("t/ada"))[0]?.refused).toBe("quota-exceeded");
  expect(await queue.list()).toEqual([]);
  await queue.send();
  expect(removed).toEqual([id]);
  expect(await store.rows("t/ada")).toEqual([]);
});

it("M18 what another tab gives up while it is sent is deleted there in the end, though the first try fails", async () => {
  let asked = () => {};
  const under = new Promise<void>((resolve) => (asked = resolve));
  let answered = () => {};
  const answer = new Promise<void>((resolve) => (answered = resolve));
  let away = false;
  const { queue, store, removed, stored, changes } = setup(
    (path) => (away && path === "/documents" ? new CofferError("offline") : undefined),
    async () => {
      asked();
      await answer;
    },
  );
  await queue.prepare("one");
  const { id } = await queue.add(new Blob(["text"]), "one");
  await under;
  // The other tab's `cancel`, of what was asked for.
  await store.update("t/ada", id, { cancelled: true });
  away = true;
  answered();
  await expect.poll(() => stored.size).toBe(1);
  await queue.send().catch(() => {});
  expect(removed).toEqual([]);
  expect(await queue.list()).toEqual([]);
  away = false;
  await queue.send();
  expect(removed).toEqual([id]);
  expect(await store.rows("t/ada")).toEqual([]);
  expect(changes).not.toContain(id);
});

it("M18 what is given up while another tab begins to ask for it is deleted there too", async () => {
  let away = true;
  const { queue, store, removed } = setup(() => (away ? new CofferError("offline") : undefined));
  await queue.prepare("one");
  const { id } = await queue.add(new Blob(["text"]), "one");
  await queue.send().catch(() => {});
  await store.update("t/ada", id, { asked: undefined });
  const { rows } = store;
  // Between the look and the removal.
  store.rows = async (owner) => {
    const found = await rows(owner);
    store.rows = rows;
    await store.update(owner, id, { asked: true });
    return found;
  };
  await queue.cancel(id);
  expect(removed).toEqual([]);
  expect(await queue.list()).toEqual([]);
  away = false;
  await queue.send();
  expect(removed).toEqual([id]);
  expect(await store.rows("t/ada")).toEqual([]);
});

it("M18 what may be stored already can be given up without the network, and is deleted there once it is back", async () => {
  let away = true;
  const { queue, store, removed, stored } = setup(() => (away ? new CofferError("offline") : undefined));
  await queue.prepare("one");
  const { id } = await queue.add(new Blob(["text"]), "one");
  await queue.send().catch(() => {});
  expect((await store.rows("t/ada"))[0]?.asked).toBe(true);
  await queue.cancel(id);
  expect(await queue.list()).toEqual([]);
  expect(await queue.cancel(id).catch(codeOf)).toBe("not-found");
  expect(removed).toEqual([]);
  away = false;
  await queue.send();
  expect(removed).toEqual([id]);
  expect(stored.size).toBe(0);
  expect(await store.rows("t/ada")).toEqual([]);
});

it("M18 seals into the queue where the network is away, and where the last answer is lost; what was refused is the caller's", async () => {
  let answer: CofferError | undefined = new CofferError("offline");
  const { queue, store, stored } = setup(() => answer);
  await queue.prepare("one");
  const first = await queue.seal(new Blob(["text"]), "one", { name: "lost.txt" });
  expect(first).toMatchObject({ waits: { size: 4, metadata: { name: "lost.txt" } } });
  // It may be stored: it is asked for again as the same.
  expect((await store.rows("t/ada"))[0]?.asked).toBe(true);
  await queue.send().catch(() => {});
  expect(await queue.seal(new Blob(["more"]), "one")).toHaveProperty("waits");
  answer = undefined;
  await queue.send();
  expect(await queue.seal(new Blob(["text"]), "one")).toHaveProperty("stored");
  expect(stored.size).toBe(2);
  answer = new CofferError("quota-exceeded", { status: 403 });
  expect(await queue.seal(new Blob(["text"]), "one").catch(codeOf)).toBe("quota-exceeded");
  expect(await store.rows("t/ada")).toEqual([]);
});

it("M18 refuses for its size nothing that can be sent now, though nobody has said that the network is back", async () => {
  let answer: CofferError | undefined = new CofferError("offline");
  const { queue, store } = setup(() => answer);
  await queue.prepare("one");
  await queue.add(new Blob(["text"]), "one");
  await expect.poll(async () => (await store.rows("t/ada"))[0]?.asked).toBe(true);
  await queue.send().catch(() => {});
  await store.add("t/ada", row("large", QUEUE_BYTES - 4), new Blob());
  expect(await queue.seal(new Blob(["text"]), "one").catch(codeOf)).toBe("queue-full");
  answer = undefined;
  expect(await queue.seal(new Blob(["text"]), "one").catch(codeOf)).toHaveProperty("stored");
});

it("M18 puts no upload here that has begun, however often it is tried again without the network", async () => {
  let answer: CofferError | undefined = new CofferError("offline");
  const { queue, store } = setup(() => answer);
  await queue.prepare("one");
  const file = new Blob(["large"]);
  const again = () => queue.seal(file, "one", { resumable: true }).catch(codeOf);
  expect(await again()).toBe("offline");
  store.isAway = () => true;
  expect(await again()).toBe("offline");
  expect(await store.rows("t/ada")).toEqual([]);
  answer = undefined;
  expect(await again()).toHaveProperty("stored");
});

it("M18 sends when a person asks for it, whatever the host says of the network", async () => {
  const { queue, store, stored } = setup();
  store.isAway = () => true;
  await queue.prepare("one");
  const { waits } = (await queue.seal(new Blob(["text"]), "one")) as { waits: { id: string } };
  expect((await store.rows("t/ada")).map(({ id, asked }) => [id, asked])).toEqual([[waits.id, undefined]]);
  await queue.send();
  expect(stored.size).toBe(1);
  expect(await store.rows("t/ada")).toEqual([]);
});
