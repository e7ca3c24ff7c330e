import { afterEach, expect, it } from "vitest";
import { isMedia, MEDIA, MEDIA_PATH, MEDIA_WANTED, type Media, type PieceCall } from "#protocol/media.ts";
import { PlayingMedia } from "./index.ts";

const plaintext = new Uint8Array(3_000_000).map((_, index) => index % 251);
const id = "AAAAAAAAAAAAAAAAAAAAAA";
const media: Media = { type: MEDIA, id, size: plaintext.length, mediaType: "video/webm" };
const ports: MessagePort[] = [];
afterEach(() => ports.splice(0).forEach((port) => void port.close()));

/** A page that plays: gives what it is asked for, altered by `give`. */
function play(
  playing: PlayingMedia,
  page: string,
  give = (call: PieceCall): object => ({ bytes: plaintext.slice(call.start, call.end) }),
) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const calls: PieceCall[] = [];
  port1.onmessage = ({ data }: MessageEvent<PieceCall>) => {
    calls.push(data);
    port1.postMessage({ call: data.call, ...give(data) });
  };
  playing.take(media, page, port2);
  return { calls, port: port1 };
}

/** A request as a media element makes it; Node's own knows no destination. */
function request(range?: string, destination = "video", method = "GET"): Request {
  const headers: HeadersInit = range === undefined ? {} : { range };
  const asked = new Request(`https://app.example${MEDIA_PATH}${id}`, { method, headers });
  return Object.defineProperty(asked, "destination", { value: destination });
}

const nobody = { get: async () => undefined, all: async () => [] };
const open = () => new PlayingMedia(nobody, 20);

it.each([
  [undefined, 200, 0, 3_000_000],
  ["bytes=0-", 206, 0, 3_000_000],
  ["bytes=5-9", 206, 5, 10],
  ["bytes=1048570-1048580", 206, 1_048_570, 1_048_581],
  ["bytes=-7", 206, 2_999_993, 3_000_000],
  ["bytes=2999999-9999999", 206, 2_999_999, 3_000_000],
  ["bytes=1-2,4-5", 200, 0, 3_000_000],
])("gives %s as HTTP says", async (range, status, start, end) => {
  const playing = open();
  const { calls } = play(playing, "one");
  const answer = await playing.serve(request(range), "one");
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-length")).toBe(`${end - start}`);
  expect(answer.headers.get("content-range")).toBe(
    status === 206 ? `bytes ${start}-${end - 1}/3000000` : null,
  );
  expect(Buffer.compare(await answer.bytes(), plaintext.slice(start, end))).toBe(0);
  for (const call of calls) expect(call.end - call.start).toBeLessThanOrEqual(1 << 20);
});

it("refuses a range beyond the end, and says how long it is", async () => {
  const playing = open();
  play(playing, "one");
  const answer = await playing.serve(request("bytes=3000000-"), "one");
  expect([answer.status, answer.headers.get("content-range")]).toEqual([416, "bytes */3000000"]);
});

it("asks for a piece when it is taken, and for none ahead", async () => {
  const playing = open();
  const { calls } = play(playing, "one");
  const reader = (await playing.serve(request("bytes=0-"), "one")).body!.getReader();
  expect(calls).toEqual([]);
  expect((await reader.read()).value).toHaveLength(256 << 10);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(calls).toHaveLength(1);
  await reader.cancel();
});

it("answers the element of the page that plays, and nothing of it is kept or runs", async () => {
  const playing = open();
  play(playing, "one");
  const { headers } = await playing.serve(request(), "one");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("content-security-policy")).toBe("default-src 'none'; sandbox");
  await expect(playing.serve(request(), "two")).rejects.toMatchObject({ code: "not-found" });
  for (const destination of ["", "document", "iframe", "script", "image", "object", "embed", "track"])
    await expect(playing.serve(request(undefined, destination), "one")).rejects.toMatchObject({
      code: "forbidden",
    });
  await expect(playing.serve(request(undefined, "video", "POST"), "one")).rejects.toMatchObject({
    code: "forbidden",
  });
});

it("lets no other page take a document's address", async () => {
  const playing = open();
  play(playing, "one");
  play(playing, "two", ({ start, end }) => ({ bytes: new Uint8Array(end - start) }));
  const answer = await playing.serve(request("bytes=1-3"), "one");
  expect([...(await answer.bytes())]).toEqual([1, 2, 3]);
});

it.each([
  ["shorter", ({ start, end }: PieceCall) => ({ bytes: plaintext.slice(start, end - 1) }), "decrypt-failed"],
  ["longer", ({ start, end }: PieceCall) => ({ bytes: plaintext.slice(start, end + 1) }), "decrypt-failed"],
  ["refused", () => ({ code: "key-missing" }), "key-missing"],
])("ends with the error where a piece is %s", async (_, give, code) => {
  const playing = open();
  play(playing, "one", give);
  const answer = await playing.serve(request("bytes=10-20"), "one");
  await expect(answer.bytes()).rejects.toMatchObject({ code });
});

it("ends what is under way, and the address, when the page says so", async () => {
  const playing = open();
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  port1.onmessage = () => port1.postMessage(null);
  playing.take(media, "one", port2);
  const answer = await playing.serve(request(), "one");
  await expect(answer.bytes()).rejects.toMatchObject({ code: "not-found" });
  await expect(playing.serve(request(), "one")).rejects.toMatchObject({ code: "not-found" });
});

it("asks the page again after it was stopped itself", async () => {
  const told: unknown[] = [];
  const page = {
    id: "one",
    postMessage(message: unknown) {
      told.push(message);
      play(playing, "one");
    },
  };
  const playing: PlayingMedia = new PlayingMedia({ get: async () => page, all: async () => [page] }, 1_000);
  const answer = await playing.serve(request("bytes=0-3"), "one");
  expect([...(await answer.bytes())]).toEqual([0, 1, 2, 3]);
  expect(told).toEqual([{ type: MEDIA_WANTED, id }]);
});

it("lets a page play some documents at a time, of which the oldest goes", async () => {
  const playing = open();
  play(playing, "one");
  const idOf = (n: number) => `${n}`.padStart(22, "B");
  for (let n = 0; n < 16; n++) {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    playing.take({ ...media, id: idOf(n) }, "one", port2);
  }
  await expect(playing.serve(request(), "one")).rejects.toMatchObject({ code: "not-found" });
});

it.each([
  [{ ...media, id: "short" }],
  [{ ...media, id: "../AAAAAAAAAAAAAAAAAAAA" }],
  [{ ...media, size: -1 }],
  [{ ...media, size: 1.5 }],
  [{ ...media, mediaType: "text/html" }],
  [{ ...media, mediaType: "video/mp4; charset=utf-7" }],
  [{ ...media, mediaType: "image/svg+xml" }],
  [null],
  ["coffer-media"],
])("takes nothing that is not a document to play: %j", (data) => {
  expect(isMedia(media)).toBe(true);
  expect(isMedia(data)).toBe(false);
});
