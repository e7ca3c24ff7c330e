import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { uploadFolder } from "#cli/upload-folder.ts";
import { utf8 } from "#protocol/bytes.ts";
import { codeOf } from "#protocol/error.ts";
import { signIn, untilEnrolled, useSystemAndBrowser, withKit } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const LETTER = "a letter that nobody else reads";

let folder: string;
let cut = false;
const clients: Awaited<ReturnType<typeof connect>>[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "coffer-queued-"));
});
afterEach(() => {
  cut = false;
  lost = undefined;
  for (const client of clients.splice(0)) client.close();
});
afterAll(() => rm(folder, { recursive: true }));

/** Answers to requests of this kind are lost on their way back. */
let lost: ((method: string, path: string) => boolean) | undefined;

/** The way to the edge, which a test cuts. */
const network: typeof fetch = async (input, init) => {
  if (cut) throw new TypeError("fetch failed");
  const answer = await loopbackFetch(input, init);
  const { pathname } = new URL(String(input));
  if (!lost?.(init?.method ?? "GET", pathname)) return answer;
  await answer.body?.cancel();
  throw new TypeError("fetch failed");
};

/** A person's client whose uploads wait in this folder. */
async function open(user: string, dir: string) {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  const uploads = () => uploadFolder(dir);
  const client = await connect({ app, vault, rootKey: running.rootKey, user, fetch: network, uploads });
  clients.push(client);
  const read = async (id: string) => {
    const { stream } = await client.documents.open(id, { account: client.account() });
    return new Uint8Array(
      await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
    );
  };
  return { client, account: client.account(), queue: client.queue(), read };
}

/** All that lies in a folder. */
async function filesOf(dir: string): Promise<Buffer> {
  const names = (await readdir(dir)).filter((name) => /\.(json|sealed)$/.test(name));
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(dir, name)))));
}

it("M18 in Node: what is sealed with the network cut waits as ciphertext, and is sent by a process that starts later", async () => {
  const dir = join(folder, "later");
  const first = await open("Ada", dir);
  await first.queue.prepare(first.account);
  cut = true;
  const large = new Uint8Array(6 << 20).fill(7);
  large.set(utf8(LETTER), 1 << 20);
  const letter = await first.queue.add(utf8(LETTER), first.account, { name: "letter.txt" });
  const volume = await first.queue.add(large, first.account, { name: "volume.bin" });
  await expect(first.queue.send()).rejects.toMatchObject({ code: "offline" });
  const waiting = await first.queue.list();
  expect(waiting.map(({ id, metadata }) => [id, metadata?.name])).toEqual([
    [letter.id, "letter.txt"],
    [volume.id, "volume.bin"],
  ]);
  // Opened out of what is kept, to its last byte.
  for (const [{ id }, plain] of [
    [letter, utf8(LETTER)],
    [volume, large],
  ] as const) {
    const blob = await first.queue.open(id).then((opened) => opened.blob(), codeOf);
    const bytes = blob instanceof Blob ? new Uint8Array(await blob.arrayBuffer()) : blob;
    expect(bytes instanceof Uint8Array && Buffer.compare(bytes, plain), String(bytes).slice(0, 40)).toBe(0);
  }
  expect(await first.queue.open("none").catch(codeOf)).toBe("not-found");
  const kept = await filesOf(dir);
  expect(kept.length).toBeGreaterThan(large.length);
  for (const secret of [LETTER, "letter.txt", "volume.bin"]) expect(kept.includes(secret)).toBe(false);
  first.client.close();

  cut = false;
  const second = await open("Ada", dir);
  await second.queue.send();
  expect(await second.queue.list()).toEqual([]);
  expect((await filesOf(dir)).length).toBe(0);
  const listed = await second.client.documents.list([second.account]);
  const found = listed.filter(({ id }) => id === letter.id || id === volume.id);
  expect(found.map(({ metadata, state }) => [metadata?.name, state]).sort()).toEqual([
    ["letter.txt", undefined],
    ["volume.bin", undefined],
  ]);
  expect(new TextDecoder().decode(await second.read(letter.id))).toBe(LETTER);
  expect(Buffer.compare(await second.read(volume.id), large)).toBe(0);
});

it("M18 an upload whose last answer was lost is sent again as the same, one that was given up is not sent, and nobody else's is touched", async () => {
  const dir = join(folder, "again");
  const ada = await open("Ada", dir);
  await ada.queue.prepare(ada.account);
  cut = true;
  const unheard = await ada.queue.add(utf8(LETTER), ada.account, { name: "lost.txt" });
  const over = await ada.queue.add(utf8(LETTER), ada.account, { name: "over.txt" });
  await ada.queue.cancel(over.id);
  expect(await ada.queue.cancel(over.id).catch(codeOf)).toBe("not-found");
  // It is tried in the background too: it is stored, and nobody hears of it.
  lost = (method, path) => method !== "GET" && /\/documents\/[^/]+$/.test(path);
  cut = false;
  // Somebody else on the same machine sees nothing of it.
  const bob = await open("Bob", dir);
  expect(await bob.queue.list()).toEqual([]);
  await bob.queue.send();
  expect(await bob.queue.cancel(unheard.id).catch(codeOf)).toBe("not-found");

  await expect(ada.queue.send()).rejects.toMatchObject({ code: "offline" });
  // Nor that it stands in the index.
  lost = (method, path) => method !== "GET" && path.endsWith("/document-versions");
  await expect(ada.queue.send()).rejects.toMatchObject({ code: "offline" });
  expect((await ada.queue.list()).map(({ id }) => id)).toEqual([unheard.id]);
  lost = undefined;
  await ada.queue.send();
  const rows = (await ada.client.documents.list([ada.account])).filter(({ id }) => id === unheard.id);
  expect(rows.map(({ metadata, state }) => [metadata?.name, state])).toEqual([["lost.txt", undefined]]);
  expect(await ada.queue.list()).toEqual([]);
  const ids = (await ada.client.documents.list([ada.account])).map(({ id }) => id);
  expect(ids).not.toContain(over.id);
});

it("M18 in Chromium: with the network cut a document is sealed and waits, after a reload too, and opens as it was once it is back", async () => {
  const { page, context } = await browsing.open();
  await signIn(page, system, "Cleo");
  await untilEnrolled(page);
  const { vaultOrigin: vault } = system;
  const account = await withKit(
    page,
    async ({ connect }, { vault }) => {
      const coffer = await connect({ vault });
      const account = coffer.identity!.accounts[0]!.id;
      await coffer.queue((queue) => queue.prepare(account));
      return account;
    },
    { vault },
  );
  // What a browser has in its cache, which Playwright sets aside where it intercepts, and nothing else.
  await context.route("**", (route) => {
    const request = route.request();
    const file = /^\/(configuration\.json|[\w.-]+\.(js|css|svg|webmanifest))?$/;
    if (request.method() === "GET" && file.test(new URL(request.url()).pathname)) return route.continue();
    return route.abort("internetdisconnected");
  });
  const seal = (name: string) =>
    withKit(
      page,
      async ({ connect }, { vault, account, name, text }) => {
        const coffer = await connect({ vault });
        const file = new File([text], name, { type: "text/plain" });
        const { id } = await coffer.queue((queue) => queue.add(file, account));
        const waiting = await coffer.queue((queue) => queue.list());
        // All that the browser keeps of it for the app's origin, as text.
        const database = await new Promise<IDBDatabase>((resolve, reject) => {
          const request = indexedDB.open("coffer-uploads");
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
        const kept: string[] = [];
        for (const store of ["uploads", "contents", "keys"]) {
          const all = await new Promise<unknown[]>((resolve, reject) => {
            const request = database.transaction(store).objectStore(store).getAll();
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
          });
          for (const value of all) {
            if (value instanceof Blob) kept.push(await value.text());
            else if (typeof value === "string") kept.push(value);
            else {
              const { metadata, ...rest } = value as { metadata: Uint8Array };
              kept.push(new TextDecoder().decode(metadata), JSON.stringify(rest));
            }
          }
        }
        database.close();
        return {
          id,
          kept: kept.join("\n"),
          waiting: waiting.map(({ id, metadata }) => [id, metadata?.name]),
        };
      },
      { vault, account, name, text: LETTER },
    );
  const before = await seal("before.txt");
  expect(before.waiting).toEqual([[before.id, "before.txt"]]);
  await page.reload();
  const after = await seal("after.txt");
  expect(after.waiting).toEqual([
    [before.id, "before.txt"],
    [after.id, "after.txt"],
  ]);
  expect(after.kept.length).toBeGreaterThan(1000);
  for (const secret of [LETTER, "before.txt", "after.txt"]) expect(after.kept.includes(secret)).toBe(false);

  await context.unroute("**");
  await page.reload();
  const opened = await withKit(
    page,
    async ({ connect }, { vault, account, ids }) => {
      const coffer = await connect({ vault });
      await coffer.queue((queue) => queue.send());
      const left = (await coffer.queue((queue) => queue.list())).length;
      const listed = await coffer.list();
      const states = ids.map((id) => listed.find((each) => each.id === id)?.state ?? "whole");
      const texts = ids.map(async (id) => (await (await coffer.open(id, { account })).blob()).text());
      return { left, states, texts: await Promise.all(texts) };
    },
    { vault, account, ids: [before.id, after.id] },
  );
  expect(opened).toEqual({ left: 0, states: ["whole", "whole"], texts: [LETTER, LETTER] });
});

it("M18 in Chromium: what waits is sent when the browser says that it is online, and ends with a sign-out", async () => {
  const { page, context } = await browsing.open();
  await signIn(page, system, "Dora");
  await untilEnrolled(page);
  const { vaultOrigin: vault } = system;
  await withKit(
    page,
    async ({ connect }, { vault }) => {
      const coffer = await connect({ vault });
      const account = coffer.identity!.accounts[0]!.id;
      await coffer.queue((queue) => queue.prepare(account));
      Object.assign(globalThis, { coffer, account });
    },
    { vault },
  );
  const add = (name: string) =>
    page.evaluate(async (name) => {
      const { coffer, account } = globalThis as unknown as {
        coffer: import("#web/browser/index.ts").Coffer;
        account: string;
      };
      const added = await coffer.queue((queue) => queue.add(new File(["text"], name), account));
      return added.id;
    }, name);
  const left = () =>
    page.evaluate(() => {
      const { coffer } = globalThis as unknown as { coffer: import("#web/browser/index.ts").Coffer };
      return coffer.queue(async (queue) => (await queue.list()).length);
    });
  await context.setOffline(true);
  await add("online.txt");
  expect(await left()).toBe(1);
  await context.setOffline(false);
  await expect.poll(left, { timeout: 20_000 }).toBe(0);

  await context.setOffline(true);
  await add("gone.txt");
  const rows = await page.evaluate(async () => {
    const { coffer } = globalThis as unknown as { coffer: import("#web/browser/index.ts").Coffer };
    await coffer.signOut();
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open("coffer-uploads");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const counts = ["uploads", "contents", "keys"].map(
      (store) =>
        new Promise<number>((resolve, reject) => {
          const request = database.transaction(store).objectStore(store).count();
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        }),
    );
    return Promise.all(counts);
  });
  expect(rows).toEqual([0, 0, 0]);
});
