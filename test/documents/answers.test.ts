/** Answers that are lost on the way, or are not the server's: none of them counts as stored, and none of them loses a document. */

import { describe, expect, it, vi } from "vitest";
import { withHsmProcess } from "../support/hsm-child.ts";
import { useSystem } from "../system/index.ts";
import { leftovers } from "./leftovers.ts";
import { bytesOf, connectNode } from "./node-client.ts";
import { type Answer, type Fate, type Passing, startProxy } from "./proxy.ts";

// As in production: in the process of the clients, which make RSA keys, it has no time to answer the edge on a machine that is busy.
vi.mock("#emulator/hsm/index.ts", async (original) => withHsmProcess(await original()));
// Each enrols twice; more at a time only wait for each other.
vi.setConfig({ maxConcurrency: 2, testTimeout: 300_000 });

const content = Uint8Array.from({ length: 300_000 }, (_, n) => n % 251);
/** Bytes of it that go up in one request. */
const SHORT = 1000;
const PORTAL = "<!doctype html><title>Welcome</title><a href='/login'>Accept the terms to go online</a>";

const system = useSystem();

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
    alter: (answer) =>
      answer.headers["content-type"]?.includes("json") ? cut(answer) : reply(200, "application/json", "{"),
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

function cut({ status, headers, body }: Answer): Answer {
  const half = body.subarray(0, body.length >> 1);
  return { status, headers: { ...headers, "content-length": `${half.length}` }, body: half };
}

/** Which request it is, for those that may be asked again. */
function kindOf({ method, path }: Passing): string | undefined {
  if (path === "/kms/data-keys" || path === "/kms/loads" || path === "/ra/grants") return path;
  if (!/^\/accounts\/[^/]+\/documents/.test(path)) return undefined;
  return `${method} ${path.split("/").slice(5).join("/")}`;
}

type Decide = (kind: string) => Fate | undefined;

/** A client of this user behind a proxy that decides by kind of request; `decide` may be changed. */
async function behind(user: string, decide: Decide) {
  const state = { decide };
  const proxy = await startProxy((passing) => {
    const kind = kindOf(passing);
    return kind === undefined ? undefined : state.decide(kind);
  });
  const client = await connectNode(system, user, proxy.fetch);
  const account = client.identity.accounts[0]!.id;
  return {
    state,
    passed: proxy.passed,
    documents: client.documents,
    seal: (name: string) => client.documents.seal(content, account, { name }),
    sealShort: (name: string) => client.documents.seal(content.slice(0, SHORT), account, { name }),
    list: () => client.documents.list([account]),
    deletions: () =>
      proxy.passed.filter(({ method }) => method === "DELETE").map(({ path }) => path.split("/")[4]!),
    async [Symbol.asyncDispose]() {
      client.close();
      await proxy.close();
    },
  };
}

/** Spoils the first request of each kind; `met` has the kinds. */
function onceEach(fate: Fate): { decide: Decide; met: Set<string> } {
  const met = new Set<string>();
  const decide = (kind: string) => {
    if (met.has(kind)) return undefined;
    met.add(kind);
    return fate;
  };
  return { decide, met };
}

const calm: Decide = () => undefined;
const only =
  (spoiled: string, fate: Fate): Decide =>
  (kind) =>
    kind === spoiled ? fate : undefined;
const codeOf = (sealing: Promise<unknown>) =>
  sealing.then(
    () => "sealed",
    (error: { name?: string; code?: string }) => (error.name === "CofferError" ? error.code : error),
  );

describe.concurrent.each(Object.entries(FATES))("where %s", (fate, spoiled) => {
  it("once to each request, it is asked again, and the document is stored, listed, opened and removed", async () => {
    const user = `Once ${Object.keys(FATES).indexOf(fate)}`;
    const writing = onceEach(spoiled);
    await using sealer = await behind(user, writing.decide);
    const sealing = sealer.seal("once.bin");
    await expect(sealing).resolves.toMatchObject({ id: expect.any(String) });
    const { id } = await sealing;
    const sealingShort = sealer.sealShort("short.bin");
    await expect(sealingShort).resolves.toMatchObject({ id: expect.any(String) });
    const short = await sealingShort;
    const written = ["POST ", "PUT metadata", "PUT parts/1", "POST complete", "PUT "];
    expect([...writing.met]).toEqual(
      expect.arrayContaining([...written, "/ra/grants", "/kms/data-keys", "/kms/loads"]),
    );
    const reading = onceEach(spoiled);
    await using reader = await behind(user, reading.decide);
    const names = (await reader.list()).map(({ metadata }) => metadata?.name);
    expect(names.toSorted()).toEqual(["once.bin", "short.bin"]);
    const { stream } = await reader.documents.open(id);
    expect(Buffer.compare(await bytesOf(stream), content)).toBe(0);
    const opened = await bytesOf((await reader.documents.open(short.id)).stream);
    expect(Buffer.compare(opened, content.slice(0, SHORT))).toBe(0);
    await reader.documents.remove(id);
    await reader.documents.remove(short.id);
    expect([...reading.met]).toEqual(
      expect.arrayContaining(["GET ", "GET metadata", "GET content", "DELETE "]),
    );
    expect(await reader.list()).toEqual([]);
  });

  it("to every completion, it is said that nobody knows, and what is complete stays", async () => {
    await using sealer = await behind(
      `Unknown ${Object.keys(FATES).indexOf(fate)}`,
      only("POST complete", spoiled),
    );
    expect(await codeOf(sealer.seal("unknown.bin"))).toBe("unknown-whether-stored");
    expect(sealer.deletions()).toEqual([]);
    sealer.state.decide = calm;
    const [found, ...more] = await sealer.list();
    expect(more).toEqual([]);
    if (spoiled.unsent) return expect(found).toBeUndefined();
    const { stream } = await sealer.documents.open(found!.id);
    expect(Buffer.compare(await bytesOf(stream), content)).toBe(0);
  });

  it("to a short document each time, it is said that nobody knows, and what is stored stays", async () => {
    const user = `Short ${Object.keys(FATES).indexOf(fate)}`;
    await using sealer = await behind(user, only("PUT ", spoiled));
    expect(await codeOf(sealer.sealShort("unknown.bin"))).toBe("unknown-whether-stored");
    expect(sealer.deletions()).toEqual([]);
    sealer.state.decide = calm;
    expect(await sealer.list()).toHaveLength(spoiled.unsent ? 0 : 1);
  });

  it("to every request before the completion, nothing is stored, and nothing is left", async () => {
    await using sealer = await behind(`Never ${Object.keys(FATES).indexOf(fate)}`, calm);
    for (const kind of ["POST ", "PUT parts/1", "PUT metadata"]) {
      sealer.state.decide = only(kind, spoiled);
      expect(await codeOf(sealer.seal("never.bin")), kind).toMatch(
        /^(offline|unexpected-response|http-\d+)$/,
      );
      sealer.state.decide = calm;
      expect(await sealer.list(), kind).toEqual([]);
    }
    const ids = sealer.deletions();
    expect(ids).toHaveLength(3);
    const { objects } = leftovers(system.edgeDir);
    expect(objects.filter((key) => ids.some((id) => key.includes(id)))).toEqual([]);
  });
});

it("a completion that is confirmed for another size is not believed", async () => {
  const other = instead(200, "application/json", '{"size":1,"etag":"e"}');
  await using sealer = await behind("Size", only("POST complete", other));
  expect(await codeOf(sealer.seal("size.bin"))).toBe("unknown-whether-stored");
  expect(sealer.deletions()).toEqual([]);
});

it("a completion that the datastore itself refuses leaves nothing", async () => {
  const refusal = instead(409, "application/problem+json", '{"code":"conflict","status":409}');
  await using sealer = await behind("Refused", only("POST complete", refusal));
  expect(await codeOf(sealer.seal("refused.bin"))).toBe("conflict");
  expect(await sealer.list()).toEqual([]);
  expect(sealer.deletions()).toHaveLength(1);
});

it("a part that is confirmed under another number is not believed", async () => {
  const other = instead(200, "application/json", '{"part":2,"etag":"e"}');
  await using sealer = await behind("Number", only("PUT parts/1", other));
  expect(await codeOf(sealer.seal("part.bin"))).toBe("unexpected-response");
  expect(await sealer.list()).toEqual([]);
});
