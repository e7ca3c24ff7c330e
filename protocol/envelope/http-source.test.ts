/** Reading parts over HTTP: from a real server, and from servers that do all that a server may not. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "../bytes.ts";
import { httpSource, openRanged, seal } from "./index.ts";

const { subtle } = crypto;
const dataKey = await subtle.importKey("raw", new Uint8Array(32), "HKDF", false, ["deriveKey"]);
const context = { document: "d-1" };
const plaintext = new Uint8Array(300_000).map((_, i) => (i * 151 + (i >> 9)) & 0xff);
const options = { subtle, dataKey: () => dataKey, context };

function sealed(): Promise<Uint8Array<ArrayBuffer>> {
  const stream = seal(plaintext, {
    ...{ subtle, dataKey, context, frameLength: 10_000 },
    random: (array) => crypto.getRandomValues(array),
    encryptedDataKeys: [{ providerId: "p", providerInfo: utf8("i"), encryptedDataKey: utf8("k") }],
  });
  return new Response(stream).bytes();
}
const message = await sealed();

type Asked = { range: string; ifRange: string | null };
type Answer = (start: number, end: number, asked: Asked, count: number) => Response | Promise<Response>;

/** Opens what is answered so; keeps what was asked, and how many bodies were cancelled. */
function served(answer: Answer) {
  const asked: Asked[] = [];
  const source = httpSource("https://example.test/video", {
    async fetch(_, { headers }) {
      const range = headers.range!;
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
      const request = { range, ifRange: headers["if-range"] ?? null };
      asked.push(request);
      return answer(Number(start), Math.min(Number(end) + 1, message.length), request, asked.length);
    },
  });
  return { opened: openRanged(source, options), asked };
}
/** A well-behaved answer, but for what is said otherwise. */
function partial(
  start: number,
  end: number,
  {
    bytes = message,
    etag = '"one"' as string | null,
    range = "",
    body = undefined as BodyInit | undefined,
  } = {},
): Response {
  const headers = {
    "content-range": range || `bytes ${start}-${end - 1}/${bytes.length}`,
    ...(etag === null ? {} : { etag }),
  };
  return new Response(body ?? bytes.slice(start, end), { status: 206, headers });
}
const read = (opened: ReturnType<typeof served>["opened"]) => opened.slice(150_000, 170_000).arrayBuffer();
const expected = plaintext.slice(150_000, 170_000).buffer;

describe("a server of ranges", () => {
  let server: Server;
  let url: string;
  let handle: (request: IncomingMessage, response: ServerResponse) => void;
  beforeAll(async () => {
    server = createServer((request, response) => handle(request, response));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/video`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const part = message.subarray(Number(start), Number(last) + 1);
    response.writeHead(206, {
      "content-range": `bytes ${start}-${Number(start) + part.length - 1}/${message.length}`,
      "content-length": part.length,
      etag: '"one"',
    });
    return { part, start: Number(start) };
  };

  it("gives parts and the size", async () => {
    handle = (request, response) => {
      const { part } = answer(request, response);
      response.end(part);
    };
    const opened = openRanged(httpSource(url, { fetch }), options);
    expect(await read(opened)).toEqual(expected);
    expect(await opened.size()).toBe(plaintext.length);
    expect(await opened.slice().arrayBuffer()).toEqual(plaintext.buffer);
  });

  it("that breaks off is no network", async () => {
    handle = (request, response) => {
      const { part, start } = answer(request, response);
      if (start === 0) return response.end(part);
      response.write(part.subarray(0, 100), () => response.destroy());
    };
    await expect(read(openRanged(httpSource(url, { fetch }), options))).rejects.toMatchObject({
      code: "offline",
    });
  });

  it("that nobody answers at is no network, and a signal is its own reason", async () => {
    const nowhere = httpSource("http://127.0.0.1:1/", { fetch });
    await expect(read(openRanged(nowhere, options))).rejects.toMatchObject({ code: "offline" });
    const abort = new AbortController();
    let closed = false;
    handle = (request) => {
      request.on("close", () => (closed = true));
      abort.abort(new Error("enough"));
    };
    const reading = openRanged(httpSource(url, { fetch }), options).slice(0, 9).arrayBuffer(abort.signal);
    await expect(reading).rejects.toThrow("enough");
    await expect.poll(() => closed).toBe(true);
  });
});

describe("of a server", () => {
  it("is asked the first bytes, then the frames of a part under the condition that nothing has changed", async () => {
    const { opened, asked } = served((start, end) => partial(start, end));
    expect(await read(opened)).toEqual(expected);
    expect(asked.map(({ ifRange }) => ifRange)).toEqual([null, '"one"']);
    expect(asked[0]!.range).toBe("bytes=0-4095");
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(asked[1]!.range)!;
    expect(Number(end) - Number(start) + 1).toBe(2 * 10_032);
  });

  it.each([
    ["no ETag", null],
    ["a weak ETag, which makes no condition", 'W/"one"'],
  ])("with %s no condition is made", async (_, etag) => {
    const { opened, asked } = served((start, end) => partial(start, end, { etag }));
    expect(await read(opened)).toEqual(expected);
    expect(asked.map(({ ifRange }) => ifRange)).toEqual([null, null]);
  });

  it("that ignores ranges nothing is read, and its answer is given up", async () => {
    let cancelled = 0;
    const { opened } = served(() => {
      const body = new ReadableStream({ cancel: () => void cancelled++ }, { highWaterMark: 0 });
      return new Response(body, { status: 200 });
    });
    await expect(read(opened)).rejects.toMatchObject({ code: "not-seekable" });
    expect(cancelled).toBe(1);
  });

  it.each<[string, Answer]>([
    [
      "answers the condition with another version",
      (start, end, { ifRange }) =>
        ifRange ? new Response(new Uint8Array(9), { status: 200 }) : partial(start, end),
    ],
    [
      "ignores the condition and has another ETag",
      (start, end, _, count) => partial(start, end, { etag: `"${count}"` }),
    ],
    [
      "has another size",
      (start, end, _, count) =>
        partial(start, end, { etag: null, range: `bytes ${start}-${end - 1}/${message.length + 1 - count}` }),
    ],
    [
      "has become shorter than the part that is asked for",
      (start, end) => (start > 0 ? new Response(null, { status: 416 }) : partial(start, end)),
    ],
  ])("that %s, the source has changed", async (_, answer) => {
    await expect(read(served(answer).opened)).rejects.toMatchObject({ code: "source-changed" });
  });

  it("that changes without a word nothing is taken for genuine", async () => {
    const other = await sealed();
    const { opened } = served((start, end) =>
      partial(start, end, { bytes: start > 0 ? other : message, etag: null }),
    );
    await expect(read(opened)).rejects.toMatchObject({ code: "decrypt-failed" });
  });

  it.each<[string, Answer]>([
    [
      "another beginning",
      (start, end) => partial(start, end, { range: `bytes ${start + 1}-${end - 1}/${message.length}` }),
    ],
    [
      "another end",
      (start, end) => partial(start, end, { range: `bytes ${start}-${end}/${message.length}` }),
    ],
    ["less", (start, end) => partial(start, end, { range: `bytes ${start}-${end - 2}/${message.length}` })],
    ["no size", (start, end) => partial(start, end, { range: `bytes ${start}-${end - 1}/*` })],
    [
      "a size out of all bounds",
      (start, end) => partial(start, end, { range: `bytes ${start}-${end - 1}/${"9".repeat(20)}` }),
    ],
    [
      "another unit",
      (start, end) => partial(start, end, { range: `items ${start}-${end - 1}/${message.length}` }),
    ],
    [
      "several parts",
      () => new Response("--x", { status: 206, headers: { "content-type": "multipart/byteranges" } }),
    ],
    ["no body", (start, end) => new Response(null, { status: 206, headers: partial(start, end).headers })],
    [
      "more than it says",
      (start, end) => partial(start, end, { body: new Uint8Array([...message.slice(start, end), 0]) }),
    ],
    ["a redirection", () => new Response(null, { status: 304 })],
  ])("that says or gives %s, the answer is refused", async (_, answer) => {
    await expect(read(served(answer).opened)).rejects.toMatchObject({ code: "unexpected-response" });
    const later: Answer = (start, end, asked, count) =>
      count > 1 ? answer(start, end, asked, count) : partial(start, end);
    await expect(read(served(later).opened)).rejects.toMatchObject({ code: "unexpected-response" });
  });

  it("that gives fewer bytes than it says, the answer has broken off", async () => {
    const answer: Answer = (start, end) => partial(start, end, { body: message.slice(start, end - 1) });
    await expect(read(served(answer).opened)).rejects.toMatchObject({ code: "offline" });
  });

  it("that never ends nothing is read beyond the part", async () => {
    let given = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            given += 1 << 16;
            controller.enqueue(new Uint8Array(1 << 16));
          },
        },
        { highWaterMark: 0 },
      );
    const { opened } = served((start, end) =>
      partial(start, end, { body: start > 0 ? endless() : undefined }),
    );
    await expect(read(opened)).rejects.toMatchObject({ code: "unexpected-response" });
    expect(given).toBeLessThan(1 << 18);
  });

  it.each([403, 404, 500])("that answers %i, that is said", async (status) => {
    const { opened } = served(() => new Response(null, { status }));
    await expect(read(opened)).rejects.toMatchObject({ code: `http-${status}`, status });
  });
});
