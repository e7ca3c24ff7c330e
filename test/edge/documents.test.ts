import { request } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { type Answer, json, problem } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";

const MIB = 1024 * 1024;
const system = useSystem();
let ann: EdgeClient;
let bob: EdgeClient;

beforeAll(async () => {
  [ann, bob] = await Promise.all([EdgeClient.signedIn(system, "Ann"), EdgeClient.signedIn(system, "Bob")]);
});

/** Bytes that differ everywhere. */
function bytes(length: number, seed = 1): Uint8Array {
  const made = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0, x = seed; i < made.length; i++) made[i] = x = Math.imul(x, 1664525) + 1013904223;
  return new Uint8Array(made.buffer, 0, length);
}

/** Announces `length` bytes, sends half of them and hangs up. */
async function brokenOff(path: string, length: number): Promise<void> {
  const headers = await ann.headers("PUT", path);
  const { port, host } = new URL(system.appOrigin);
  await new Promise<void>((resolve, reject) => {
    const sent = request({
      ...{ host: "127.0.0.1", port, path, method: "PUT", agent: false },
      headers: { ...headers, host, "content-type": "application/octet-stream", "content-length": length },
    });
    sent.on("error", reject).on("response", () => resolve());
    sent.write(bytes(length / 2), () => sent.destroy(new Error("hung up")));
  });
}

type Part = { part: number; etag: string };
const list = async (client = ann) =>
  json<{ documents: { id: string; size: number }[] }>(await client.rest("GET", client.documents)).documents;
const ids = async (client = ann) => (await list(client)).map(({ id }) => id);

async function open(): Promise<{ id: string; partSize: number }> {
  return json(await begin(crypto.randomUUID()));
}
const begin = (id: unknown, client = ann, path = client.documents) => client.rest("POST", path, { id });
async function part(id: string, n: number, body: Uint8Array): Promise<Part> {
  const answer = await ann.rest("PUT", `${ann.documents}/${id}/parts/${n}`, body);
  expect(answer.status).toBe(200);
  return json<Part>(answer);
}
const putMetadata = (id: string, body = bytes(300)) =>
  ann.rest("PUT", `${ann.documents}/${id}/metadata`, body);
const complete = (id: string, parts: Part[], size: number): Promise<Answer> =>
  ann.rest("POST", `${ann.documents}/${id}/complete`, { parts, size });

async function upload(content: Uint8Array): Promise<string> {
  const { id, partSize } = await open();
  const parts: Part[] = [];
  for (let at = 0; at < content.length; at += partSize) {
    parts.push(await part(id, parts.length + 1, content.subarray(at, at + partSize)));
  }
  expect((await putMetadata(id)).status).toBe(204);
  expect((await complete(id, parts, content.length)).status).toBe(200);
  return id;
}

describe("documents", () => {
  it.each([1, 5 * MIB, 8 * MIB, 8 * MIB + 1, 17 * MIB])(
    "of %i bytes come back as they went in",
    async (size) => {
      const content = bytes(size, size);
      const id = await upload(content);
      const answer = await ann.rest("GET", `${ann.documents}/${id}/content`);
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        "content-length": String(size),
        "accept-ranges": "bytes",
        "cache-control": "no-store",
        "content-type": "application/octet-stream",
      });
      expect(answer.bytes.equals(content)).toBe(true);
      expect((await list()).find((document) => document.id === id)).toMatchObject({ size });
      expect((await ann.rest("GET", `${ann.documents}/${id}/metadata`)).bytes.equals(bytes(300))).toBe(true);
    },
  );

  it("give ranges, each with the ETag of the whole", async () => {
    const content = bytes(9 * MIB);
    const id = await upload(content);
    const whole = await ann.rest("GET", `${ann.documents}/${id}/content`);
    for (const [range, from, to] of [
      ["bytes=0-0", 0, 1],
      [`bytes=${4 * MIB}-${8 * MIB + 99}`, 4 * MIB, 8 * MIB + 100],
      [`bytes=${9 * MIB - 5}-`, 9 * MIB - 5, 9 * MIB],
      ["bytes=-7", 9 * MIB - 7, 9 * MIB],
    ] as const) {
      const answer = await ann.rest("GET", `${ann.documents}/${id}/content`, undefined, { range });
      expect(answer.status).toBe(206);
      expect(answer.headers["content-range"]).toBe(`bytes ${from}-${to - 1}/${9 * MIB}`);
      expect(answer.headers.etag).toBe(whole.headers.etag);
      expect(answer.bytes.equals(content.subarray(from, to))).toBe(true);
    }
    const outside = await ann.rest("GET", `${ann.documents}/${id}/content`, undefined, {
      range: `bytes=${9 * MIB}-`,
    });
    expect(problem(outside)).toBe("416 range-not-satisfiable");
  });

  it("are listed and read only when complete", async () => {
    const { id } = await open();
    const first = await part(id, 1, bytes(1000));
    expect(await ids()).not.toContain(id);
    expect(problem(await ann.rest("GET", `${ann.documents}/${id}/content`))).toBe("409 conflict");
    expect(problem(await complete(id, [first], 1000))).toBe("409 conflict"); // no metadata
    await putMetadata(id);
    expect(problem(await complete(id, [first], 999))).toBe("409 conflict");
    expect(problem(await complete(id, [{ part: 1, etag: "other" }], 1000))).toBe("409 conflict");
    expect((await complete(id, [first], 1000)).status).toBe(200);
    expect(await ids()).toContain(id);
    expect(problem(await ann.rest("PUT", `${ann.documents}/${id}/parts/1`, bytes(5)))).toBe("409 conflict");
  });

  it("are under the id that the custodian chose, which nobody can choose again", async () => {
    const id = crypto.randomUUID();
    const first = await begin(id);
    expect([first.status, json(first)]).toMatchObject([201, { id }]);
    // Its answer was lost, perhaps several times at once.
    for (const again of await Promise.all([begin(id), begin(id)])) {
      expect([again.status, json(again)]).toEqual([201, json(first)]);
    }
    expect(problem(await begin(id, bob, ann.documents))).toBe("403 forbidden");
    // Another account's ids are its own.
    expect((await begin(id, bob)).status).toBe(201);
    const one = await part(id, 1, bytes(50));
    expect(problem(await begin(id))).toBe("409 conflict");
    await putMetadata(id);
    expect((await complete(id, [one], 50)).status).toBe(200);
    expect(problem(await begin(id))).toBe("409 conflict");
    expect((await begin(id, bob)).status).toBe(201);
    expect((await ann.rest("GET", `${ann.documents}/${id}/content`)).bytes.equals(bytes(50))).toBe(true);
  });

  it("are begun twice at once with one upload", async () => {
    const id = crypto.randomUUID();
    const begun = await Promise.all(Array.from({ length: 4 }, () => begin(id)));
    expect(begun.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    const one = await part(id, 1, bytes(60));
    await putMetadata(id);
    expect((await complete(id, [one], 60)).status).toBe(200);
    const open = readRows(system.edgeDir, "_mf_multipart_uploads").filter(
      ({ key, state }) => String(key).includes(id) && state === 0,
    );
    expect(open).toEqual([]);
  });

  it.each([
    ["upper case", crypto.randomUUID().toUpperCase()],
    ["no hyphens", crypto.randomUUID().replaceAll("-", "")],
    ["another variant", "00000000-0000-4000-c000-000000000000"],
    ["nil", "00000000-0000-0000-0000-000000000000"],
    ["a path", "../other/00000000"],
    ["a number", 7],
    ["null", null],
    ["empty", ""],
    ["a list", [crypto.randomUUID()]],
    ["longer", `${crypto.randomUUID()}0`],
  ])("refuse an id of the wrong form: %s", async (_, id) => {
    expect(problem(await begin(id))).toBe("400 bad-request");
  });

  it("answer a completion again as the first time, at once and after a restart, and refuse another", async () => {
    const { id } = await open();
    const parts = [await part(id, 1, bytes(5 * MIB, 1)), await part(id, 2, bytes(900, 2))];
    await putMetadata(id);
    const size = 5 * MIB + 900;
    const atOnce = await Promise.all(Array.from({ length: 4 }, () => complete(id, parts, size)));
    // One that finds R2 busy with another's joining may be told to come again.
    for (const { status } of atOnce) expect([200, 500]).toContain(status);
    const first = await complete(id, parts, size);
    expect([first.status, json(first)]).toEqual([200, { size, etag: expect.any(String) }]);
    for (const answer of atOnce) if (answer.status === 200) expect(json(answer)).toEqual(json(first));
    await system.restart();
    const again = await complete(id, parts, size);
    expect([again.status, json(again)]).toEqual([200, json(first)]);
    const [one, two] = parts as [Part, Part];
    for (const [other, bytes] of [
      [[one], size],
      [[two, one], size],
      [[one, { ...two, etag: one.etag }], size],
      [[one, two, { part: 3, etag: two.etag }], size],
      [parts, size - 1],
    ] as const) {
      expect(problem(await complete(id, [...other], bytes))).toBe("409 conflict");
    }
    expect(problem(await bob.rest("POST", `${bob.documents}/${id}/complete`, { parts, size }))).toBe(
      "404 not-found",
    );
    expect((await ann.rest("DELETE", `${ann.documents}/${id}`)).status).toBe(204);
    expect(problem(await complete(id, parts, size))).toBe("404 not-found");
  });

  it("take a part again, the later one counts", async () => {
    const { id } = await open();
    await part(id, 1, bytes(1000, 5));
    const again = await part(id, 1, bytes(1200, 6));
    await putMetadata(id);
    expect((await complete(id, [again], 1200)).status).toBe(200);
    expect((await ann.rest("GET", `${ann.documents}/${id}/content`)).bytes.equals(bytes(1200, 6))).toBe(true);
  });

  it("forget a part that broke off, and take it again", async () => {
    const { id } = await open();
    await expect(brokenOff(`${ann.documents}/${id}/parts/1`, 2 * MIB)).rejects.toThrow();
    await putMetadata(id);
    expect(problem(await complete(id, [{ part: 1, etag: "x" }], 2 * MIB))).toBe("409 conflict");
    const again = await part(id, 1, bytes(2 * MIB));
    expect((await complete(id, [again], 2 * MIB)).status).toBe(200);
    expect((await ann.rest("GET", `${ann.documents}/${id}/content`)).bytes.equals(bytes(2 * MIB))).toBe(true);
  });

  it("M20 are not there for others", async () => {
    const id = await upload(bytes(100));
    for (const [method, suffix, body] of [
      ["GET", "/content", undefined],
      ["GET", "/metadata", undefined],
      ["PUT", "/parts/1", bytes(5)],
      ["PUT", "/metadata", bytes(5)],
      ["POST", "/complete", { parts: [{ part: 1, etag: "x" }], size: 5 }],
      ["DELETE", "", undefined],
    ] as const) {
      const at = (path: string) => bob.rest(method, `${path}/${id}${suffix}`, body);
      expect(problem(await at(bob.documents))).toBe("404 not-found");
      expect(problem(await at(ann.documents))).toBe("403 forbidden");
    }
    expect(problem(await bob.rest("GET", ann.documents))).toBe("403 forbidden");
    expect(problem(await bob.rest("POST", ann.documents, {}))).toBe("403 forbidden");
    expect(await ids(bob)).not.toContain(id);
    expect((await ann.rest("GET", `${ann.documents}/${id}/content`)).status).toBe(200);
  });

  it("are gone when deleted, uploads too", async () => {
    const id = await upload(bytes(100));
    expect((await ann.rest("DELETE", `${ann.documents}/${id}`)).status).toBe(204);
    expect(problem(await ann.rest("GET", `${ann.documents}/${id}/content`))).toBe("404 not-found");
    expect(problem(await ann.rest("DELETE", `${ann.documents}/${id}`))).toBe("404 not-found");
    const { id: pending } = await open();
    await part(pending, 1, bytes(100));
    expect((await ann.rest("DELETE", `${ann.documents}/${pending}`)).status).toBe(204);
    expect(problem(await ann.rest("PUT", `${ann.documents}/${pending}/parts/2`, bytes(5)))).toBe(
      "404 not-found",
    );
    const rows = readRows(system.edgeDir, "documents");
    expect(rows.some((row) => row.id === id || row.id === pending)).toBe(false);
  });

  it("bound their parts and metadata", async () => {
    const { id } = await open();
    expect(problem(await ann.rest("PUT", `${ann.documents}/${id}/parts/0`, bytes(5)))).toBe(
      "400 bad-request",
    );
    expect(problem(await ann.rest("PUT", `${ann.documents}/${id}/parts/10001`, bytes(5)))).toBe(
      "400 bad-request",
    );
    expect(problem(await ann.rest("PUT", `${ann.documents}/${id}/metadata`, bytes(64 * 1024 + 1)))).toBe(
      "413 too-large",
    );
    const text = await ann.rest("PUT", `${ann.documents}/${id}/metadata`, bytes(5), {
      "content-type": "text/html",
    });
    expect(problem(text)).toBe("415 unsupported-media-type");
  });
});
