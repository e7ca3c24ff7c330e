/** What is measured, in whichever runtime: sealing and opening, and the cipher alone on the same bytes. */

import { type OpenOptions, open, seal } from "#protocol/envelope/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Source = Bytes | Blob | ReadableStream<Bytes>;

/** Bytes of a piece that the cipher alone gets: those that suit it best in one engine or the other, of which the faster counts. */
const PIECES = [256 << 10, 1 << 20];
const IN_FLIGHT = 4;

export const CONTEXT = { tenant: "bench", account: "bench", document: "bench", purpose: "document" };
const { subtle } = crypto;
const dataKey = await subtle.importKey("raw", new Uint8Array(32), "HKDF", false, ["deriveKey"]);
const rawKey = await subtle.importKey("raw", new Uint8Array(32), "AES-GCM", false, ["encrypt", "decrypt"]);

/** Ciphertext of a source, as the microservice makes it. */
export function sealed(source: Source): ReadableStream<Bytes> {
  return seal(source, {
    subtle,
    random: (array) => crypto.getRandomValues(array),
    dataKey,
    context: CONTEXT,
    encryptedDataKeys: [
      { providerId: "bench", providerInfo: new Uint8Array(1), encryptedDataKey: new Uint8Array(1) },
    ],
  });
}

export const OPENING: OpenOptions = { subtle, dataKey: () => dataKey, context: CONTEXT };

export function opened(source: Source): ReadableStream<Bytes> {
  return open(source, OPENING);
}

/** Takes all of a stream and keeps it in memory. */
export async function collect(stream: ReadableStream<Bytes>): Promise<Bytes[]> {
  const chunks: Bytes[] = [];
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) chunks.push(read.value);
  return chunks;
}

/** Takes all of a stream and lets it go; answers how many bytes there were. */
export async function discard(stream: ReadableStream<Bytes>): Promise<number> {
  let length = 0;
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) length += read.value.length;
  return length;
}

/** AES-256-GCM alone, piece by piece: what nothing that encrypts by WebCrypto can beat in one thread of script. */
async function cipher(pieces: Bytes[], direction: "encrypt" | "decrypt"): Promise<Bytes[]> {
  const results: Bytes[] = new Array(pieces.length);
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < pieces.length; i = next++) {
      const iv = new Uint8Array(12);
      new DataView(iv.buffer).setUint32(8, i);
      results[i] = new Uint8Array(await subtle[direction]({ name: "AES-GCM", iv }, rawKey, pieces[i]!));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return results;
}

/** Milliseconds of the cipher alone on these bytes, in pieces that suit it best. */
export async function cipherAlone(bytes: Bytes): Promise<Times> {
  const best: Times = {};
  for (const length of PIECES) {
    const pieces: Bytes[] = [];
    for (let at = 0; at < bytes.length; at += length) pieces.push(bytes.subarray(at, at + length));
    const there = await timed(() => cipher(pieces, "encrypt"));
    const back = await timed(() => cipher(there.value, "decrypt"));
    for (const [name, { ms }] of [
      ["webcrypto/encrypt", there],
      ["webcrypto/decrypt", back],
    ] as const)
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, ms);
  }
  return best;
}

/** Bytes that are not all the same. */
export function pattern(length: number): Bytes {
  const words = new Uint32Array(length / 4);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 2654435761);
  return new Uint8Array(words.buffer);
}

/** Milliseconds until what a collection has freed is given back. */
const SETTLES_MS = 100;

/**
 * Milliseconds that some work took, and what came of it. It starts from a heap without the garbage of what was measured before, which
 * it would else pay for.
 */
export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const { gc } = globalThis as { gc?(): void };
  if (!gc) throw new Error("to be measured under --expose-gc");
  gc();
  await new Promise((resolve) => setTimeout(resolve, SETTLES_MS));
  const began = performance.now();
  const value = await work();
  return { ms: performance.now() - began, value };
}

export type Times = Record<string, number>;

/** One turn of memory to memory: each thing once, milliseconds. */
export async function memoryTurn(bytes: Bytes): Promise<Times> {
  const alone = await cipherAlone(bytes);
  const message = await timed(() => collect(sealed(bytes)));
  const blob = new Blob(message.value);
  message.value.length = 0;
  const ciphertext = new Uint8Array(await blob.arrayBuffer());
  const plain = await timed(() => collect(opened(ciphertext)));
  const length = plain.value.reduce((sum, chunk) => sum + chunk.length, 0);
  if (length !== bytes.length) throw new Error("what was opened has another length");
  return { ...alone, seal: message.ms, open: plain.ms };
}
