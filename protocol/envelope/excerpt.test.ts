import fc from "fast-check";
import { expect, it } from "vitest";
import { awsSeal, FixedKeyring, SIGNED_SUITE } from "#test/documents/aws.ts";
import { concat, utf8 } from "../bytes.ts";
import { type Excerpt, excerptOf, type OpenOptions, openExcerpt, parseHeader, seal } from "./index.ts";

const { subtle } = crypto;
const secret = new Uint8Array(32).fill(5);
const dataKey = await subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
const context = { document: "d-1" };
const options: OpenOptions = { subtle, dataKey: () => dataKey, context };
const pattern = new Uint8Array(10_000).map((_, i) => (i * 151 + (i >> 9)) & 0xff);

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return concat(...chunks);
}
function sealed(plaintext: Uint8Array, frameLength: number): Promise<Uint8Array<ArrayBuffer>> {
  const random = (array: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(array);
  const encryptedDataKeys = [{ providerId: "p", providerInfo: utf8("i"), encryptedDataKey: utf8("k") }];
  return bytesOf(seal(plaintext, { subtle, random, dataKey, context, encryptedDataKeys, frameLength }));
}
/** What a reader without the key cuts out of a message. */
function cutOut(message: Uint8Array, excerpt: Excerpt): Uint8Array<ArrayBuffer> {
  const header = parseHeader(message)!;
  const { offset, length } = excerptOf(header, excerpt);
  return concat(message.subarray(0, header.length), message.subarray(offset, offset + length));
}
const refused = { code: "decrypt-failed" };

it("an excerpt opens as the part of the plaintext that it was cut out for", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 50 }),
      fc.nat(400),
      fc.nat(450),
      fc.nat(450),
      fc.integer({ min: 1, max: 100 }),
      async (frameLength, size, offset, length, chunk) => {
        const plaintext = pattern.slice(0, size);
        const message = await sealed(plaintext, frameLength);
        const excerpt = { offset, length, size: message.length };
        const cut = cutOut(message, excerpt);
        const chunks = Array.from({ length: Math.ceil(cut.length / chunk) }, (_, i) =>
          cut.slice(i * chunk, (i + 1) * chunk),
        );
        const stream = new ReadableStream<Uint8Array>({
          start(controller) {
            for (const each of chunks) controller.enqueue(each);
            controller.close();
          },
        });
        const expected = plaintext.slice(offset, offset + length);
        for (const source of [cut, new Blob([cut]), stream]) {
          expect(await bytesOf(openExcerpt(source, excerpt, options))).toEqual(expected);
        }
      },
    ),
    { numRuns: 100, seed: 16 },
  );
});

it("an excerpt that was cut out for another place, of another length, or not to its end is refused", async () => {
  const message = await sealed(pattern.slice(0, 5000), 1000);
  const excerpt = { offset: 1500, length: 1000, size: message.length };
  const cut = cutOut(message, excerpt);
  const opened = (asked: Excerpt, bytes = cut) => bytesOf(openExcerpt(bytes, asked, options));
  expect(await opened(excerpt)).toEqual(pattern.slice(1500, 2500));
  await expect(opened({ ...excerpt, offset: 500 })).rejects.toMatchObject(refused);
  await expect(opened({ ...excerpt, offset: 2500 })).rejects.toMatchObject(refused);
  await expect(opened({ ...excerpt, length: 2000 })).rejects.toMatchObject(refused);
  await expect(opened({ ...excerpt, length: 1e9 })).rejects.toMatchObject(refused);
  await expect(opened(excerpt, cut.slice(0, -1))).rejects.toMatchObject(refused);
  // A size that puts the end elsewhere makes nothing empty or short that is not.
  for (const size of [message.length - 1032, message.length + 1032, 0]) {
    await expect(opened({ offset: 5000, length: 10, size })).rejects.toMatchObject(refused);
    await expect(opened({ offset: 1500, length: 1e6, size })).rejects.toMatchObject(refused);
  }
  await expect(opened({ offset: 9000, length: 10, size: message.length }, cut)).rejects.toMatchObject(
    refused,
  );
  expect(() => excerptOf(parseHeader(message)!, { ...excerpt, size: 10 })).toThrow(
    expect.objectContaining(refused),
  );
});

it("there are no excerpts of a signed message", async () => {
  const message = await awsSeal(new FixedKeyring(secret), pattern, context, 1000, SIGNED_SUITE);
  const excerpt = { offset: 0, length: 10, size: message.length };
  const seekable = { code: "not-seekable" };
  expect(() => cutOut(message, excerpt)).toThrow(expect.objectContaining(seekable));
  await expect(bytesOf(openExcerpt(message, excerpt, options))).rejects.toMatchObject(seekable);
});
