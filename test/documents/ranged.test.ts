/** Parts of a stored document, by custodian, edge and microservice: what is given, and what is fetched for it. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { useSystem } from "../system/index.ts";
import { bytesOf, connectNode } from "./node-client.ts";

const system = useSystem();
let client: Awaited<ReturnType<typeof connectNode>>;
let account: string;
let id: string;
/** Bytes of content that were fetched. */
let fetched = 0;
/** Spoils an answer of content. */
let spoil: (bytes: Uint8Array<ArrayBuffer>, start: number) => Uint8Array<ArrayBuffer> = (bytes) => bytes;
const plaintext = new Uint8Array(5_000_000).map((_, i) => (i * 151 + (i >> 9)) & 0xff);

beforeAll(async () => {
  const counting: typeof fetch = async (input, init) => {
    const response = await loopbackFetch(input, init);
    if (!String(input).endsWith("/content") || response.status !== 206) return response;
    const [, start] = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "") ?? [];
    const bytes = await response.bytes();
    fetched += bytes.length;
    return new Response(spoil(bytes, Number(start)), response);
  };
  client = await connectNode(system, "Ada", counting);
  account = client.identity.accounts[0]!.id;
  ({ id } = await client.documents.seal(plaintext, account, { name: "video.mp4", type: "video/mp4" }));
});
afterAll(() => client?.close());

describe("a stored document", () => {
  it("is opened in parts, for which little more than them is fetched", async () => {
    fetched = 0;
    const video = await client.documents.openRanged(id);
    expect(video).toMatchObject({
      id,
      account,
      name: "video.mp4",
      type: "video/mp4",
      size: plaintext.length,
    });
    expect(fetched).toBe(16 << 10);
    for (const [start, end] of [
      [0, 10],
      [1_000_000, 1_100_000],
      [(256 << 10) - 1, (256 << 10) + 1],
      [4_900_000, 6_000_000],
      [5_000_000, 5_000_001],
      [9_000_000, 9_000_001],
      [7, 7],
    ] as const) {
      fetched = 0;
      const part = await bytesOf(await video.slice(start, end));
      expect(Buffer.compare(part, plaintext.slice(start, end))).toBe(0);
      expect(fetched).toBeLessThan(0.6 * 2 ** 20);
    }
    expect(Buffer.compare(await bytesOf(await video.slice(100)), plaintext.slice(100))).toBe(0);
    const starts = Array.from({ length: 8 }, (_, i) => i * 600_000);
    const parts = await Promise.all(starts.map(async (at) => bytesOf(await video.slice(at, at + 5000))));
    for (const [i, part] of parts.entries()) {
      expect(Buffer.compare(part, plaintext.slice(starts[i], starts[i]! + 5000))).toBe(0);
    }
    await expect(video.slice(5, 4)).rejects.toThrow(RangeError);
  });

  it("gives nothing that the datastore has put elsewhere or altered, and what is beside it all the same", async () => {
    const video = await client.documents.openRanged(id);
    const frame = (256 << 10) + 32;
    let first: Uint8Array | undefined;
    spoil = (bytes, start) => {
      if (start < frame) first = bytes.slice();
      // The first frame in the place of another, or one bit.
      else if (first?.length === bytes.length) bytes.set(first);
      else bytes[1000]! ^= 1;
      return bytes;
    };
    try {
      expect(await bytesOf(await video.slice(0, 10))).toEqual(plaintext.slice(0, 10));
      for (const start of [1_000_000, 2_097_100]) {
        await expect(video.slice(start, start + 100).then(bytesOf)).rejects.toMatchObject({
          code: "decrypt-failed",
        });
      }
    } finally {
      spoil = (bytes) => bytes;
    }
    expect(await bytesOf(await video.slice(1_000_000, 1_000_100))).toEqual(
      plaintext.slice(1_000_000, 1_000_100),
    );
  });

  it("ends with the signal, also between parts, and is not there for who has no such document", async () => {
    const video = await client.documents.openRanged(id);
    const abort = new AbortController();
    const part = (await video.slice(0, undefined, abort.signal)).getReader();
    await part.read();
    abort.abort(new Error("enough"));
    await expect(
      (async () => {
        while (!(await part.read()).done);
      })(),
    ).rejects.toThrow("enough");
    await expect(video.slice(0, 10, abort.signal)).rejects.toThrow("enough");
    expect(await bytesOf(await video.slice(0, 10))).toEqual(plaintext.slice(0, 10));
    await expect(client.documents.openRanged(crypto.randomUUID())).rejects.toMatchObject({
      code: "not-found",
    });
  });
});
