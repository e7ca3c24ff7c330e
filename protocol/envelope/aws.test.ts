/** AWS's own client as the other end: what each writes the other reads, over suites, frame lengths, contexts and counts of keys. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { awsOpen, awsSeal, FixedKeyring, SIGNED_SUITE, SUITE } from "#test/documents/aws.ts";
import { concat, utf8 } from "../bytes.ts";
import { open, parseHeader, seal, sealedLength } from "./index.ts";

const { subtle } = crypto;
const secret = new Uint8Array(32).fill(5);
const dataKey = await subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).bytes();
}
function opened(message: Uint8Array | ReadableStream<Uint8Array>, context: Record<string, string>) {
  return bytesOf(open(message, { subtle, dataKey: () => dataKey, context }));
}
/** A stream of `bytes` in chunks of `size`. */
function inChunks(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}

/** Names that the format keeps for itself begin with aws-crypto-; `__proto__` is lost in AWS's plain objects. */
const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 24 })
  .filter((text) => text.isWellFormed() && !text.startsWith("aws-crypto-") && text !== "__proto__");
const value = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((text) => text.isWellFormed());
const message = fc
  .oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 }), fc.constant(256 << 10))
  .chain((frameLength) =>
    fc.record({
      frameLength: fc.constant(frameLength),
      // Around the edges of frames, or anywhere.
      length: fc.oneof(
        fc
          .record({ frames: fc.nat(4), more: fc.integer({ min: -1, max: 1 }) })
          .map(({ frames, more }) => Math.max(0, frames * frameLength + more)),
        fc.nat(Math.min(600_000, frameLength * 200)),
      ),
      context: fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true }),
      keys: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 16 })),
      chunk: fc.integer({ min: 1, max: 100_000 }),
    }),
  );
const pattern = new Uint8Array(2 << 20).map((_, i) => (i * 151 + (i >> 9)) & 0xff);

describe("AWS's client", () => {
  it.each([
    ["0x0478", SUITE],
    ["0x0578, signed", SIGNED_SUITE],
  ])("writes what we read: suite %s", async (_, suite) => {
    await fc.assert(
      fc.asyncProperty(message, async ({ frameLength, length, context, keys, chunk }) => {
        const plaintext = pattern.subarray(0, length);
        const keyring = new FixedKeyring(secret, keys);
        const sealed = await awsSeal(keyring, plaintext, context, frameLength, suite);
        expect(parseHeader(sealed)).toMatchObject({ frameLength, suite: { id: suite } });
        expect(parseHeader(sealed)?.encryptedDataKeys).toHaveLength(keys);
        expect(Buffer.compare(await opened(sealed, context), plaintext)).toBe(0);
        const chunks = Math.max(chunk, sealed.length >> 8);
        expect(Buffer.compare(await opened(inChunks(sealed, chunks), context), plaintext)).toBe(0);
        await expect(opened(sealed, { ...context, more: "" })).rejects.toMatchObject({
          code: "decrypt-failed",
        });
      }),
      { numRuns: 60, seed: 578 },
    );
  });

  it("reads what we write", async () => {
    await fc.assert(
      fc.asyncProperty(message, async ({ frameLength, length, context, keys, chunk }) => {
        const plaintext = pattern.subarray(0, length);
        const encryptedDataKeys = Array.from({ length: keys }, (_, i) => ({
          providerId: "test",
          providerInfo: utf8(`fixed ${i}`),
          encryptedDataKey: new Uint8Array(i + 1),
        }));
        const sealed = await bytesOf(
          seal(inChunks(plaintext, Math.max(chunk, length >> 8)), {
            subtle,
            random: (array) => crypto.getRandomValues(array),
            ...{ dataKey, context, encryptedDataKeys, frameLength },
          }),
        );
        const read = await awsOpen(new FixedKeyring(secret), sealed);
        expect(Buffer.compare(read.plaintext, plaintext)).toBe(0);
        expect(read.context).toEqual(context);
      }),
      { numRuns: 60, seed: 478 },
    );
  });

  it("refuses with us a message with more keys than 16", async () => {
    const sealed = await awsSeal(new FixedKeyring(secret, 17), utf8("much"), {}, 16);
    await expect(opened(sealed, {})).rejects.toMatchObject({ code: "decrypt-failed" });
  });
});

const context = { tenant: "acme" };
const plaintext = pattern.subarray(0, 100);
const sealed = await awsSeal(new FixedKeyring(secret), plaintext, context, 32, SIGNED_SUITE);
const footer = sealedLength(100, parseHeader(sealed)!.length, 32);

describe("a signed message", () => {
  const refused = (message: Uint8Array, asked: Record<string, string> = context) =>
    expect(opened(message, asked)).rejects.toMatchObject({ code: "decrypt-failed" });

  it("opens with or without its public key in the context that is asked for, and with no other", async () => {
    const found = { ...parseHeader(sealed)!.context };
    expect(Object.keys(found).sort()).toEqual(["aws-crypto-public-key", "tenant"]);
    for (const asked of [context, found]) expect(await opened(sealed, asked)).toEqual(plaintext);
    const other = parseHeader(await awsSeal(new FixedKeyring(secret), plaintext, context, 32, SIGNED_SUITE))!;
    await refused(sealed, { ...other.context });
    await refused(sealed, {});
  });

  it("gives no byte before the signature over all of it holds", async () => {
    for (const change of [
      (bytes: Uint8Array) => bytes.subarray(0, footer),
      (bytes: Uint8Array) => bytes.subarray(0, -1),
      (bytes: Uint8Array) => concat(bytes, new Uint8Array(1)),
      ...Array.from({ length: sealed.length - footer }, (_, i) => (bytes: Uint8Array) => {
        bytes[footer + i]! ^= 1;
        return bytes;
      }),
    ]) {
      const given: Uint8Array[] = [];
      const reading = (async () => {
        const message = change(sealed.slice());
        for await (const chunk of open(message, { subtle, dataKey: () => dataKey, context }))
          given.push(chunk);
      })();
      await expect(reading).rejects.toMatchObject({ code: "decrypt-failed" });
      expect(given).toEqual([]);
    }
  });

  it("does not pass for one that is not signed, nor the other way about", async () => {
    const stripped = sealed.slice(0, footer);
    stripped[1] = 0x04;
    await refused(stripped);
    const unsigned = await awsSeal(new FixedKeyring(secret), plaintext, context, 32);
    unsigned[1] = 0x05;
    await refused(concat(unsigned, sealed.subarray(footer)));
  });

  it("is held only to a bound, which the caller sets", async () => {
    const options = { subtle, dataKey: () => dataKey, context };
    const within = open(sealed, { ...options, maxHeldLength: sealed.length });
    expect(await bytesOf(within)).toEqual(plaintext);
    await expect(
      bytesOf(open(sealed, { ...options, maxHeldLength: sealed.length - 1 })),
    ).rejects.toMatchObject({
      code: "document-too-long",
    });
    let read = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = read === 0 ? sealed.slice() : new Uint8Array(1 << 16);
        read += chunk.length;
        controller.enqueue(chunk);
      },
    });
    await expect(bytesOf(open(endless, { ...options, maxHeldLength: 1 << 20 }))).rejects.toMatchObject({
      code: "document-too-long",
    });
    expect(read).toBeLessThan(2 << 20);
  });
});
