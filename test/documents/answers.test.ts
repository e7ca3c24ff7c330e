/** Answers that are lost on the way, or are not the server's: none of them counts as stored, and none of them loses a document. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type System, startSystem } from "../system/index.ts";
import { leftovers } from "./leftovers.ts";
import { bytesOf, connectNode } from "./node-client.ts";
import { type Answer, type Fate, type Passing, startProxy } from "./proxy.ts";

const content = new Uint8Array(9 << 20).fill(7);
const PORTAL = "<!doctype html><title>Welcome</title><a href='/login'>Accept the terms to go online</a>";

let system: System;
let clean: Awaited<ReturnType<typeof connectNode>>;

beforeAll(async () => {
  system = await startSystem();
  clean = await connectNode(system, "Ada");
  await clean.microservice.use();
});
afterAll(async () => {
  clean?.close();
  await system?.close();
});

const reply = (status: number, type: string | undefined, text: string, more = {}): Answer => ({
  status,
  headers: {
    ...(type ? { "content-type": type } : {}),
    "content-length": `${Buffer.byteLength(text)}`,
    ...more,
  },
  body: Buffer.from(text),
});
const instead = (status: number, type: string | undefined, text: string, more?: object): Fate => ({
  alter: () => reply(status, type, text, more),
});

/** What may become of any answer. The edge has done what it was asked, unless the request was lost. */
const FATES: Record<string, Fate> = {
  "the request is lost": { unsent: true },
  "the answer is lost": { alter: () => null },
  "the answer breaks off": { halved: true, alter: (answer) => (answer.body.length > 1 ? answer : null) },
  "a captive portal answers 200": instead(200, "text/html", PORTAL),
  "a captive portal calls its page JSON": instead(200, "application/json", PORTAL),
  "a captive portal leads elsewhere": instead(302, "text/html", "", {
    location: "http://portal.localhost/login",
  }),
  "a captive portal refuses": instead(511, "text/html", PORTAL),
  "a proxy refuses in words": instead(403, "text/html", "<h1>Blocked by policy</h1>"),
  "a gateway fails": instead(502, "text/html", "<h1>Bad gateway</h1>"),
  "the JSON is cut": {
    alter: ({ status, headers, body }) =>
      body.length > 2 ? cut(status, headers, body) : reply(200, "application/json", "{"),
  },
  "the body is empty": {
    alter: ({ status, headers }) => ({
      status: status === 204 ? 200 : status,
      headers: { ...headers, "content-length": "0" },
      body: Buffer.alloc(0),
    }),
  },
  "204 comes where something is due, and 200 where nothing is": {
    alter: ({ status }) =>
      status === 204 ? reply(200, "application/json", "{}") : { ...reply(204, undefined, ""), headers: {} },
  },
  "the status is another one": {
    alter: ({ status, headers, body }) => ({ status: status === 202 ? 203 : 202, headers, body }),
  },
  "the JSON is of another shape": instead(200, "application/json", '{"ok":true,"status":"success"}'),
  "the JSON is a list": instead(201, "application/json", "[]"),
  "the media type is another one": {
    alter: ({ status, headers, body }) =>
      status === 204
        ? reply(200, "text/plain", "ok")
        : { status, headers: { ...headers, "content-type": "text/plain" }, body },
  },
  "the body has no end": instead(200, "application/json", `{"etag":"${"e".repeat(2 << 20)}"}`),
};

function cut(status: number, headers: Answer["headers"], body: Buffer): Answer {
  const half = body.subarray(0, body.length >> 1);
  return { status, headers: { ...headers, "content-length": `${half.length}` }, body: half };
}

/** Which request it is, for those that may be asked again. */
function kindOf({ method, path }: Passing): string | undefined {
  if (path === "/kms/data-keys" || path === "/kms/rewrap" || path === "/ra/grants") return path;
  if (!path.startsWith("/documents")) return undefined;
  return `${method} ${path.split("/").slice(3).join("/")}`;
}

const account = () => clean.identity.accounts[0]!.id;
const namesOf = async (client = clean) =>
  (await client.documents.list([account()])).map(({ metadata }) => metadata?.name);

/** A client behind a proxy that decides by kind of request. */
async function behind(decide: (kind: string) => Fate | undefined) {
  const proxy = await startProxy((passing) => {
    const kind = kindOf(passing);
    return kind === undefined ? undefined : decide(kind);
  });
  const client = await connectNode(system, "Ada", proxy.fetch);
  return {
    documents: client.documents,
    passed: proxy.passed,
    async [Symbol.asyncDispose]() {
      client.close();
      await proxy.close();
    },
  };
}

describe.each(Object.entries(FATES))("where %s", (fate, spoiled) => {
  it.concurrent("once to each request, it is asked again, and the document is stored, listed, opened and removed", async () => {
    const name = `once, ${fate}.bin`;
    const met = new Set<string>();
    await using sealer = await behind((kind) => {
      if (met.has(kind)) return undefined;
      met.add(kind);
      return spoiled;
    });
    const { id } = await sealer.documents.seal(content, account(), { name });
    expect(await namesOf()).toContain(name);
    expect([...met]).toEqual(
      expect.arrayContaining([
        "POST ",
        "PUT metadata",
        "PUT parts/1",
        "PUT parts/2",
        "POST complete",
        "/ra/grants",
        "/kms/data-keys",
        "/kms/rewrap",
      ]),
    );
    met.clear();
    await using reader = await behind((kind) => {
      if (met.has(kind)) return undefined;
      met.add(kind);
      return spoiled;
    });
    expect(await namesOf({ ...clean, documents: reader.documents })).toContain(name);
    const { stream } = await reader.documents.open(id);
    expect(Buffer.compare(await bytesOf(stream), content)).toBe(0);
    await reader.documents.remove(id);
    expect([...met]).toEqual(expect.arrayContaining(["GET ", "GET metadata", "GET content", "DELETE "]));
    expect(await namesOf()).not.toContain(name);
  });

  it.concurrent("to every completion, it is said that nobody knows, and what is complete stays", async () => {
    const name = `unknown, ${fate}.bin`;
    await using sealer = await behind((kind) => (kind === "POST complete" ? spoiled : undefined));
    await expect(sealer.documents.seal(content, account(), { name })).rejects.toMatchObject({
      code: "unknown-whether-stored",
    });
    expect(sealer.passed.filter(({ method }) => method === "DELETE")).toEqual([]);
    const found = (await clean.documents.list([account()])).find(({ metadata }) => metadata?.name === name);
    if (spoiled.unsent) return expect(found).toBeUndefined();
    const { stream } = await clean.documents.open(found!.id);
    expect(Buffer.compare(await bytesOf(stream), content)).toBe(0);
    await clean.documents.remove(found!.id);
  });

  it.concurrent.each(["POST ", "PUT parts/2", "PUT metadata"])(
    "to every %s, nothing is stored, and nothing is left",
    async (spoiledKind) => {
      const name = `not stored, ${fate}.bin`;
      await using sealer = await behind((kind) => (kind === spoiledKind ? spoiled : undefined));
      const error = await sealer.documents
        .seal(content, account(), { name })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: "CofferError" });
      expect(error).not.toMatchObject({ code: "unknown-whether-stored" });
      expect(await namesOf()).not.toContain(name);
      const ids = sealer.passed
        .filter(({ method }) => method === "DELETE")
        .map(({ path }) => path.split("/")[2]!);
      expect(ids).toHaveLength(1);
      const { objects } = leftovers(system.edgeDir);
      expect(objects.filter((key) => key.includes(ids[0]!))).toEqual([]);
    },
  );
});

it("a completion that is confirmed for another size is not believed", async () => {
  await using sealer = await behind((kind) =>
    kind === "POST complete" ? instead(200, "application/json", '{"size":1,"etag":"\\"e\\""}') : undefined,
  );
  await expect(sealer.documents.seal(content, account(), { name: "size.bin" })).rejects.toMatchObject({
    code: "unknown-whether-stored",
  });
});

it("a completion that the datastore itself refuses leaves nothing", async () => {
  const refusal = JSON.stringify({ code: "conflict", status: 409 });
  await using sealer = await behind((kind) =>
    kind === "POST complete" ? instead(409, "application/problem+json", refusal) : undefined,
  );
  await expect(sealer.documents.seal(content, account(), { name: "refused.bin" })).rejects.toMatchObject({
    code: "conflict",
  });
  expect(await namesOf()).not.toContain("refused.bin");
  expect(sealer.passed.filter(({ method }) => method === "DELETE")).toHaveLength(1);
});

it("a part, and its number, are what was sent", async () => {
  await using sealer = await behind((kind) =>
    kind === "PUT parts/2" ? instead(200, "application/json", '{"part":1,"etag":"e"}') : undefined,
  );
  await expect(sealer.documents.seal(content, account(), { name: "part.bin" })).rejects.toMatchObject({
    code: "unexpected-response",
  });
  expect(await namesOf()).not.toContain("part.bin");
});
