import { expect, it } from "vitest";
import { decodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { parseHeader, serialiseHeader } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import type { PortClient } from "#protocol/port/index.ts";
import { Documents } from "./documents.ts";
import type { DataKeys } from "./keys.ts";
import type { Microservice } from "./microservice.ts";
import type { Progress } from "./progress.ts";
import type { RequestOptions, RestClient } from "./rest.ts";

type Stored = { account: string; complete: boolean; metadata?: Uint8Array; parts: Blob[] };
type Read = (response: Response) => Promise<unknown>;

/** A datastore in memory that knows ranges, and a port whose cipher is a header before the plaintext. */
function setup({ failPart = false, honest = false, short = 0, taken = "" } = {}) {
  const stored = new Map<string, Stored>();
  const loaded: string[] = [];
  const asked: string[] = [];
  /** Documents whose metadata does not come. */
  const unread = new Set<string>();
  /** The version index, of which the port below knows nothing. */
  const kms = { away: false, rows: [] as { document: string; deleted?: true }[] };
  const content = async (id: string) => new Uint8Array(await new Blob(stored.get(id)!.parts).arrayBuffer());
  const answer = async (method: string, path: string, { json, body, headers, signal }: RequestOptions) => {
    if (path.startsWith("/kms/")) {
      if (kms.away) throw new CofferError("offline");
      kms.rows.push(...((json as { rows?: typeof kms.rows } | undefined)?.rows ?? []));
      return Response.json({ rows: [], sequence: 0, head: "h.e.d", founded: true, conflicts: [] });
    }
    asked.push(method);
    signal?.throwIfAborted();
    const [, , account, , id, what, number] = path.split("?")[0]!.split("/");
    if (method === "POST" && !id) {
      const { id } = json as { id: string };
      stored.set(id, { account: account!, complete: false, parts: [] });
      return Response.json({ id, partSize: 64 });
    }
    if (path.includes("/deleted-documents")) return Response.json({ documents: [] });
    if (method === "GET" && !id) {
      const all = [...stored].filter(([, { complete }]) => complete);
      return Response.json({
        documents: all.map(([id, { account }], i) => ({ id, account, size: 1, created: i })),
      });
    }
    if (id === taken && method === "PUT") throw new CofferError("conflict", { status: 409 });
    if (method === "PUT" && what === undefined) {
      const { content, metadata } = json as { content: string; metadata: string };
      const bytes = decodeBase64url(content);
      const parts = [new Blob([bytes])];
      stored.set(id!, { account: account!, complete: true, metadata: decodeBase64url(metadata), parts });
      return Response.json({ size: bytes.length, etag: "e" });
    }
    const document = stored.get(id!);
    const elsewhere = honest && document?.account !== account;
    if (!document || elsewhere) throw new CofferError("not-found", { status: 404 });
    if (method === "DELETE") {
      stored.delete(id!);
      return new Response(null, { status: 204 });
    }
    if (method === "PUT" && what === "parts") {
      if (failPart && number === "2") throw new CofferError("offline");
      document.parts[Number(number) - 1] = body as Blob;
      return Response.json({ part: Number(number), etag: "e" });
    }
    if (method === "PUT") {
      document.metadata = body as Uint8Array;
      return new Response(null, { status: 204 });
    }
    if (what === "complete") {
      document.complete = true;
      return Response.json({ size: (json as { size: number }).size, etag: "e" });
    }
    if (what === "metadata" && method === "GET" && unread.has(id!)) throw new CofferError("offline");
    if (method === "GET" && what === "metadata")
      return new Response(document.metadata as Uint8Array<ArrayBuffer>);
    if (method === "GET") {
      const bytes = await content(id!);
      const [from, to] = /(\d+)-(\d+)/.exec(headers!.range!)!.slice(1).map(Number);
      const slice = bytes.slice(from, to! + 1);
      const range = `bytes ${from}-${from! + slice.length - 1}/${bytes.length}`;
      return new Response(slice, { status: 206, headers: { "content-range": range } });
    }
    return Response.json({});
  };
  const rest = {
    send: async (method: string, path: string, options: RequestOptions, read: Read) =>
      read(await answer(method, path, options)),
    json: async (method: string, path: string, options: RequestOptions = {}) =>
      (await answer(method, path, options)).json(),
  } as unknown as RestClient;

  const port = {
    seal: (params: Params, source: Blob | Uint8Array<ArrayBuffer>) => {
      const body = source instanceof ReadableStream ? source : new Blob([source]).stream();
      const head = headerOf(params);
      return body.pipeThrough(
        new TransformStream({ start: (controller) => controller.enqueue(head) }, undefined, {
          highWaterMark: 1,
        }),
      );
    },
    inspect: async (bytes: Uint8Array) => paramsOf(bytes),
    versions: async () => ({ sequence: 0, founded: true }),
    compare: async () => ({ hidden: [], unknown: [], changed: [], deleted: [] }),
    open: (_params: object, source: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>) =>
      new ReadableStream({
        async start(controller) {
          const bytes = await new Response(source).bytes();
          const rest = bytes.slice(parseHeader(bytes)!.length);
          if (rest.length > 0) controller.enqueue(rest);
          controller.close();
        },
      }),
  } as unknown as PortClient;

  const documents = () =>
    new Documents({
      rest,
      microservice: { use: async () => ({ port, instance: {} }) } as unknown as Microservice,
      keys: {
        take: async () => "edk-1",
        ensure: async (edk: string) => void loaded.push(edk),
      } as unknown as DataKeys,
      tenant: () => "t",
      accounts: () => ["a", "c"],
      short,
    });
  return { documents: documents(), reloaded: documents, stored, loaded, asked, kms, unread };
}

type Params = { edk: string; context: Record<string, string> };

/** A header as the microservice writes it, under a random message id and without a tag that anyone checks. */
function headerOf({ edk, context }: Params): Uint8Array<ArrayBuffer> {
  const { body } = serialiseHeader({
    messageId: crypto.getRandomValues(new Uint8Array(32)),
    context,
    encryptedDataKeys: [
      { providerId: "coffer", providerInfo: new Uint8Array(), encryptedDataKey: utf8(edk) },
    ],
    frameLength: 1024,
    commitment: new Uint8Array(32),
  });
  return concat(body, new Uint8Array(16));
}

function paramsOf(message: Uint8Array): Params {
  const { context, encryptedDataKeys } = parseHeader(message)!;
  return { context: { ...context }, edk: new TextDecoder().decode(encryptedDataKeys[0]!.encryptedDataKey) };
}

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);

it.each([
  ["a File", () => new File([bytes], "a.bin", { type: "x/y", lastModified: 5 }), {}],
  ["bytes", () => bytes, { name: "a.bin", type: "x/y", modified: 5 }],
  ["a stream", () => new Blob([bytes]).stream(), { name: "a.bin", type: "x/y", modified: 5 }],
])("seals %s and opens it after a reload, with its name, type, size and time", async (_, source, options) => {
  const { documents, reloaded, loaded } = setup();
  const { id, metadata } = await documents.seal(source(), "a", options);
  expect(metadata).toEqual({ name: "a.bin", type: "x/y", size: 1000, modified: 5 });
  const open = await reloaded().open(id, {});
  expect(open).toMatchObject({ name: "a.bin", type: "x/y", size: 1000, modified: 5 });
  const blob = await open.blob();
  expect(blob.type).toBe("x/y");
  expect(new Uint8Array(await blob.arrayBuffer())).toEqual(bytes);
  expect(loaded).toContain("edk-1");
});

it.each([
  ["shorter", 1001],
  ["longer", 999],
])("keeps nothing of a stream that is %s than was said", async (_, size) => {
  const { documents, stored } = setup();
  const sealing = documents.seal(new Blob([bytes]).stream(), "a", { size });
  await expect(sealing).rejects.toMatchObject({ code: "source-changed", message: /was changed/ });
  expect(stored.size).toBe(0);
});

it("seals a stream of the size that was said, and tells it as the total", async () => {
  const { documents } = setup();
  const totals = new Set<number | undefined>();
  const onProgress = ({ total }: Progress) => totals.add(total);
  const { metadata } = await documents.seal(new Blob([bytes]).stream(), "a", { size: 1000, onProgress });
  expect(metadata).toMatchObject({ size: 1000 });
  expect([...totals]).toEqual([1000]);
});

it("tells what it does: key, bytes up to the total, and the end", async () => {
  const { documents } = setup();
  const steps: Progress[] = [];
  await documents.seal(bytes, "a", { onProgress: (progress) => steps.push(progress) });
  expect(steps[0]).toEqual({ step: "key", bytes: 0, total: 1000 });
  expect(steps.findLast(({ step }) => step === "sealing")).toEqual({
    step: "sealing",
    bytes: 1000,
    total: 1000,
  });
  expect(steps.at(-1)!.step).toBe("finishing");
});

it("leaves nothing behind when a part fails or the caller cancels", async () => {
  const failing = setup({ failPart: true });
  await expect(failing.documents.seal(bytes, "a", {})).rejects.toMatchObject({ code: "offline" });
  expect(failing.stored.size).toBe(0);
  for (const at of ["key", "sealing", "finishing"]) {
    const { documents, stored } = setup();
    const controller = new AbortController();
    const { signal } = controller;
    const onProgress = ({ step }: Progress) => step === at && controller.abort();
    await expect(documents.seal(bytes, "a", { signal, onProgress }), at).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(stored.size, at).toBe(0);
  }
});

it("refuses a name that does not fit before anything is made", async () => {
  const { documents, stored } = setup();
  const long = documents.seal(bytes, "a", { name: `${"x".repeat(300)}.pdf` });
  await expect(long).rejects.toMatchObject({ code: "name-too-long" });
  expect(stored.size).toBe(0);
});

it("refuses a document that the server put in another's place, and content that does not fit its name", async () => {
  const { documents, reloaded, stored } = setup();
  const one = await documents.seal(bytes, "a", { name: "one" });
  const two = await documents.seal(bytes.slice(0, 10), "a", { name: "two" });
  const [first, second] = [stored.get(one.id)!, stored.get(two.id)!];
  stored.set(one.id, { ...first, parts: second.parts });
  await expect(reloaded().open(one.id, {})).rejects.toMatchObject({ code: "decrypt-failed" });
  stored.set(one.id, {
    ...first,
    parts: [new Blob([await new Blob(first.parts).slice(0, -1).arrayBuffer()])],
  });
  const cut = await reloaded().open(one.id, {});
  await expect(cut.blob()).rejects.toMatchObject({ code: "decrypt-failed" });
});

it("lists newest first, names as they are opened, and says which could not be", async () => {
  const { documents, reloaded, stored } = setup();
  const ids: string[] = [];
  for (const name of ["a", "b", "c"]) ids.push((await documents.seal(bytes, "a", { name })).id);
  stored.get(ids[1]!)!.metadata = stored.get(ids[0]!)!.metadata!;
  const seen: number[] = [];
  const list = await reloaded().list(["a"], {
    onChange: (all) => seen.push(all.filter(({ metadata }) => metadata).length),
  });
  expect(list.map(({ id, metadata }) => [id, metadata?.name])).toEqual([
    [ids[2], "c"],
    [ids[1], undefined],
    [ids[0], "a"],
  ]);
  expect(list[1]!.error).toMatchObject({ code: "decrypt-failed" });
  expect(seen[0]).toBe(0);
  expect(seen.at(-1)).toBe(2);
});

it("looks for a document in each of the user's accounts where nobody says in which it is", async () => {
  const { documents, reloaded, stored } = setup({ honest: true });
  const { id } = await documents.seal(bytes, "c", { name: "c.bin" });
  expect(await reloaded().open(id)).toMatchObject({ account: "c", name: "c.bin" });
  await expect(reloaded().open(id, { account: "a" })).rejects.toMatchObject({ code: "not-found" });
  await expect(reloaded().open("none")).rejects.toMatchObject({ code: "not-found" });
  await expect(reloaded().remove(id, { account: "a" })).rejects.toMatchObject({ code: "not-found" });
  await reloaded().remove(id);
  expect(stored.size).toBe(0);
});

it("opens no document of an account that was not asked for, and lists none", async () => {
  const { documents, reloaded, stored } = setup();
  const { id } = await documents.seal(bytes, "a", { name: "a.bin" });
  expect(await reloaded().open(id, { account: "a" })).toMatchObject({ account: "a", name: "a.bin" });
  await expect(reloaded().open(id, { account: "b" })).rejects.toMatchObject({ code: "decrypt-failed" });
  // As the one who sealed it has it in memory.
  await expect(documents.open(id, { account: "b" })).rejects.toMatchObject({ code: "decrypt-failed" });
  await expect(reloaded().list(["b"])).rejects.toMatchObject({ code: "unexpected-response" });
  // Sealed for an account that is not the user's, by someone who may seal for that one.
  const foreign = await documents.seal(bytes, "stranger", { name: "b.bin" });
  await expect(reloaded().open(foreign.id)).rejects.toMatchObject({ code: "decrypt-failed" });
  stored.delete(foreign.id);
  stored.get(id)!.account = "stranger";
  await expect(reloaded().list(["a"])).rejects.toMatchObject({ code: "unexpected-response" });
});

it("M21 brings the key of a document to the microservice in which it goes on, whether it is short or goes up in parts", async () => {
  for (const short of [0, 4096]) {
    const { documents, loaded, stored } = setup({ short });
    const { id } = await documents.seal(bytes, "a", {});
    expect(stored.get(id)).toMatchObject({ complete: true });
    expect(loaded, `up to ${short} bytes in one request`).toEqual(["edk-1"]);
  }
});

it("deletes nothing of a short document that never went up", async () => {
  const { documents, asked } = setup({ short: 4096 });
  const reason = new Error("no");
  await expect(documents.seal(bytes, "a", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(asked).toEqual([]);
});

it("deletes nothing where its id is another document's, which somebody has sealed again meanwhile", async () => {
  const taken = crypto.randomUUID();
  const { documents, asked } = setup({ short: 2000, taken });
  const sealing = documents.seal(bytes, "a", {}, taken);
  await expect(sealing).rejects.toMatchObject({ code: "conflict" });
  expect(asked).not.toContain("DELETE");
});

it("W10 who goes on with a document that was sealed again deletes it alone, once the new one stands in the index", async () => {
  const { documents, stored, kms } = setup({ short: 4096 });
  await documents.list(["a"]);
  const first = await documents.seal(bytes, "a", { name: "a" });
  const old = await documents.replace(first.id, bytes, { account: "a" });
  kms.away = true;
  const sealing = documents.reEncrypt(old.id, { account: "a" });
  await expect(sealing).rejects.toMatchObject({ code: "offline" });
  kms.away = false;
  const next = [...stored.keys()].at(-1)!;
  expect([...stored.keys()]).toEqual([first.id, old.id, next]);
  kms.rows.length = 0;
  // Another program, or another tab, has sealed the old one again; this one has its list of before.
  expect(await documents.reEncryptAll("a", { before: new Date(1000) })).toMatchObject({ done: 2, failed: 0 });
  const about = kms.rows.filter(({ document }) => document === old.id || document === next);
  expect(about.map(({ document, deleted }) => [document, deleted])).toEqual([
    [next, undefined],
    [old.id, true],
  ]);
  expect(stored.size).toBe(2);
  const [document, ...more] = await documents.list(["a"]);
  expect([document?.id, document?.earlier?.length, more.length]).toEqual([next, 1, 0]);
});

it("deletes no document while nobody can tell which are its earlier versions", async () => {
  const { documents, reloaded, stored, unread } = setup({ short: 4096 });
  const { id: first } = await documents.seal(bytes, "a", { name: "a" });
  const { id: second } = await documents.replace(first, bytes, { account: "a" });
  const { id: alone } = await documents.seal(bytes, "a", { name: "b" });
  unread.add(first);
  const deleting = reloaded();
  await expect(deleting.remove(second, { account: "a" })).rejects.toMatchObject({ code: "offline" });
  const among = await deleting.list(["a"]);
  await expect(deleting.remove(second, { account: "a", among })).rejects.toMatchObject({ code: "offline" });
  await deleting.remove(alone, { account: "a" });
  expect([...stored.keys()]).toEqual([first, second]);
  unread.clear();
  await deleting.remove(second, { account: "a" });
  expect(stored.size).toBe(0);
});
