import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, utf8 } from "../bytes.ts";
import { CofferError } from "../error.ts";
import { type KeptMessage, open, type SealOptions, seal } from "./index.ts";

const { subtle } = crypto;
const context = { tenant: "acme", account: "a-1", document: "d-1", purpose: "document" };
const encryptedDataKeys = [
  { providerId: "coffer", providerInfo: utf8("k.1"), encryptedDataKey: new Uint8Array([1, 2, 3]) },
];
const dataKey = await subtle.importKey("raw", new Uint8Array(32).fill(7), "HKDF", false, ["deriveKey"]);
const FRAME = 64;
/** Bytes that are encrypted together and whose tags are kept together: see `flow`. */
const GROUP = 64 * FRAME;

const random = (array: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(array);

/** As a store keeps it. */
function keptMessage(): KeptMessage & { tags: Map<number, Uint8Array> } {
  const tags = new Map<number, Uint8Array>();
  return {
    messageId: random(new Uint8Array(32)),
    tags,
    async settle(first, given) {
      const there = tags.get(first);
      if (there === undefined) tags.set(first, given);
      return there === undefined || Buffer.compare(there, given) === 0;
    },
  };
}

/** What leaves until it ends, fails, or `limit` bytes have left. */
async function leaving(source: Uint8Array, options: Partial<SealOptions>, limit = Number.POSITIVE_INFINITY) {
  const left: Uint8Array[] = [];
  let length = 0;
  let error: unknown;
  const all = { subtle, random, dataKey, context, encryptedDataKeys, frameLength: FRAME, ...options };
  try {
    for await (const chunk of seal(new Blob([source as Uint8Array<ArrayBuffer>]), all)) {
      if (length + chunk.length > limit) break;
      left.push(chunk);
      length += chunk.length;
    }
  } catch (reason) {
    error = reason;
  }
  return { bytes: concat(...left), error };
}

const pattern = (length: number) => new Uint8Array(length).map((_, i) => (i * 31 + (i >> 8)) & 0xff);
const changed = new CofferError("source-changed");

describe("a message that may be gone on with", () => {
  it("is the same bytes however often it is begun again, and opens", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(3 * GROUP),
        fc.array(fc.nat(4 * GROUP), { maxLength: 4 }),
        async (length, stops) => {
          const kept = keptMessage();
          const plain = pattern(length);
          const before = [];
          for (const stop of stops) before.push((await leaving(plain, { kept }, stop)).bytes);
          const { bytes, error } = await leaving(plain, { kept });
          expect(error).toBeUndefined();
          for (const part of before) expect(Buffer.compare(part, bytes.subarray(0, part.length))).toBe(0);
          const opened = open(new Blob([bytes]), { subtle, dataKey: () => dataKey, context });
          expect(Buffer.compare(new Uint8Array(await new Response(opened).arrayBuffer()), plain)).toBe(0);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("keeps no tag of a frame that a stop has cut short, and goes on", async () => {
    const kept = keptMessage();
    const plain = pattern(GROUP + 1);
    // Gives what it has, and says neither that there is more nor that there is none.
    const source = new ReadableStream<Uint8Array<ArrayBuffer>>({ start: (it) => it.enqueue(plain) });
    const all = { subtle, random, dataKey, context, encryptedDataKeys, frameLength: FRAME, kept };
    const reader = seal(source, all).getReader();
    while (kept.tags.size < 2) await reader.read();
    await reader.cancel();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect([...kept.tags.keys()]).toEqual([0, 1]);
    expect((await leaving(plain, { kept })).error).toBeUndefined();
  });

  it("gives no byte of a frame that was another one before, whichever byte is changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(3 * GROUP - 1), async (at) => {
        const kept = keptMessage();
        const plain = pattern(3 * GROUP);
        const first = await leaving(plain, { kept });
        const other = plain.slice();
        other[at]! ^= 1;
        const second = await leaving(other, { kept });
        expect(second.error).toEqual(changed);
        // What left before is what left the first time.
        expect(Buffer.compare(second.bytes, first.bytes.subarray(0, second.bytes.length))).toBe(0);
        const overhead = first.bytes.length - plain.length;
        expect(second.bytes.length).toBeLessThanOrEqual(Math.floor(at / GROUP) * GROUP + overhead);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ["longer", (plain: Uint8Array) => concat(plain, new Uint8Array(1))],
    ["shorter", (plain: Uint8Array) => plain.subarray(1)],
    ["empty", () => new Uint8Array()],
  ])("does not go on with what is %s now", async (_, change) => {
    for (const length of [1, FRAME, GROUP, GROUP + 1, 2 * GROUP]) {
      const kept = keptMessage();
      await leaving(pattern(length), { kept });
      expect((await leaving(change(pattern(length)), { kept })).error).toEqual(changed);
    }
  });

  it("goes on where the end was not reached, with an end of any kind", async () => {
    const kept = keptMessage();
    await leaving(pattern(3 * GROUP), { kept }, 1);
    // Nobody has seen the last of three groups yet.
    for (const first of [...kept.tags.keys()].slice(2)) kept.tags.delete(first);
    const { bytes, error } = await leaving(pattern(GROUP + 5), { kept });
    expect(error).toBeUndefined();
    expect(bytes.length).toBeGreaterThan(GROUP);
  });

  it.each<[string, Partial<SealOptions>]>([
    ["another context", { context: { ...context, document: "d-2" } }],
    ["another encrypted data key", { encryptedDataKeys: [...encryptedDataKeys, ...encryptedDataKeys] }],
    ["another length of frames", { frameLength: 2 * FRAME }],
  ])("gives no header of %s under its id", async (_, other) => {
    const kept = keptMessage();
    await leaving(pattern(10), { kept });
    expect(await leaving(pattern(10), { kept, ...other })).toEqual({
      bytes: new Uint8Array(),
      error: changed,
    });
  });

  it("keeps every tag before what it authenticates leaves", async () => {
    const kept = keptMessage();
    const never: KeptMessage = {
      ...kept,
      settle: (first, tags) => (first < 65 ? kept.settle(first, tags) : new Promise(() => {})),
    };
    const stream = seal(new Blob([pattern(3 * GROUP)]), {
      ...{ subtle, random, dataKey, context, encryptedDataKeys, frameLength: FRAME, kept: never },
    });
    const reader = stream.getReader();
    let left = 0;
    for (;;) {
      const waited = new Promise<"waited">((resolve) => setTimeout(resolve, 100, "waited"));
      const next = await Promise.race([reader.read(), waited]);
      if (next === "waited" || next.done) break;
      left += next.value.length;
    }
    expect(left).toBeGreaterThan(GROUP);
    expect(left).toBeLessThan(2 * GROUP);
    void reader.cancel();
  });
});
