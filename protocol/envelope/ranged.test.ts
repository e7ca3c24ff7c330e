/** Reading parts of messages: what is given, what is fetched for it, and what is refused. */
import { mkdtempSync, openAsBlob, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { awsSeal, FixedKeyring, SIGNED_SUITE } from "#test/documents/aws.ts";
import { concat, utf8 } from "../bytes.ts";
import { CofferError } from "../error.ts";
import { frameAad, frameStart } from "./frame.ts";
import {
  FRAME_LENGTH,
  type OpenOptions,
  open,
  openRanged,
  parseHeader,
  type RangedSource,
  type Source,
  seal,
  sealedLength,
} from "./index.ts";
import { deriveMessageKey } from "./keys.ts";

const { subtle } = crypto;
const secret = new Uint8Array(32).fill(5);
const dataKey = await subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
const context = { tenant: "acme", document: "d-1" };
const encryptedDataKeys = [
  { providerId: "test", providerInfo: utf8("fixed"), encryptedDataKey: new Uint8Array(900) },
];
const pattern = new Uint8Array(2 << 20).map((_, i) => (i * 151 + (i >> 9)) & 0xff);

function opening(options: Partial<OpenOptions> = {}): OpenOptions {
  return { subtle, dataKey: () => dataKey, context, ...options };
}
async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return concat(...chunks);
}
function sealed(plaintext: Uint8Array, frameLength = 1000): Promise<Uint8Array<ArrayBuffer>> {
  const random = (array: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(array);
  return bytesOf(seal(plaintext, { subtle, random, dataKey, context, encryptedDataKeys, frameLength }));
}
/** A source that keeps count of what is read of it. */
function counting(bytes: Uint8Array) {
  const reads: { offset: number; length: number }[] = [];
  const source: RangedSource = {
    async read(offset, length) {
      reads.push({ offset, length });
      return { size: bytes.length, content: bytes.slice(offset, offset + length) };
    },
  };
  return { source, reads };
}
/** Lets what was begun reach its source. */
const tick = () => new Promise((done) => setTimeout(done));
const refused = { code: "decrypt-failed" };

/** 2 GiB of zeros, sealed in frames of 256 KiB, of which each is made when it is asked for. */
async function large() {
  const length = 2 * 2 ** 30;
  const start = (await sealed(new Uint8Array(), FRAME_LENGTH)).slice(0, 4096);
  const header = parseHeader(start)!;
  const key = await deriveMessageKey(subtle, dataKey, header, "encrypt");
  const frames = length / FRAME_LENGTH;
  const frame = async (sequence: number) => {
    const final = sequence === frames;
    const begins = frameStart(sequence, final && FRAME_LENGTH);
    const iv = begins.slice(final ? 8 : 4, final ? 20 : 16);
    const additionalData = frameAad(header.messageId, sequence, FRAME_LENGTH, final);
    const ciphertext = await subtle.encrypt(
      { name: "AES-GCM", iv, additionalData },
      key,
      new Uint8Array(FRAME_LENGTH),
    );
    return concat(begins, new Uint8Array(ciphertext));
  };
  const size = sealedLength(length, header.length);
  const read = { bytes: 0, requests: 0 };
  const source: RangedSource = {
    async read(offset, wanted) {
      const end = Math.min(offset + wanted, size);
      read.requests++;
      read.bytes += end - offset;
      const first = Math.max(1, Math.floor((offset - header.length) / (FRAME_LENGTH + 32)) + 1);
      const last = Math.min(frames, Math.ceil((end - header.length) / (FRAME_LENGTH + 32)));
      const made = [];
      for (let i = first; i <= last; i++) made.push(await frame(i));
      const parts = concat(...(offset < header.length ? [start.subarray(0, header.length)] : []), ...made);
      const begins = offset < header.length ? 0 : header.length + (first - 1) * (FRAME_LENGTH + 32);
      return { size, content: parts.slice(offset - begins, end - begins) };
    },
  };
  return { source, read, length };
}

describe("a part of a message", () => {
  it("is that part of the plaintext, for any part, length and frame length, from Blob, bytes and a source", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.nat(400),
        fc.nat(450),
        fc.nat(450),
        async (frameLength, length, start, more) => {
          const plaintext = pattern.slice(0, length);
          const message = await sealed(plaintext, frameLength);
          const expected = plaintext.slice(start, start + more);
          for (const source of [message, new Blob([message]), counting(message).source]) {
            const found = openRanged(source, opening()).slice(start, start + more);
            expect(new Uint8Array(await found.arrayBuffer())).toEqual(expected);
            const range = { offset: start, length: more };
            expect(await bytesOf(open(source, { ...opening(), range }))).toEqual(expected);
          }
          expect(await openRanged(message, opening()).size()).toBe(length);
        },
      ),
      { numRuns: 150, seed: 15 },
    );
  });

  it("is that part of what AWS's client wrote, whose final frame may be empty", async () => {
    for (const [length, frameLength] of [
      [0, 16],
      [32, 16],
      [33, 16],
      [5000, 1],
      [70_000, 4096],
    ] as const) {
      const plaintext = pattern.slice(0, length);
      const message = await awsSeal(new FixedKeyring(secret), plaintext, context, frameLength);
      const opened = openRanged(message, opening());
      expect(await opened.size()).toBe(length);
      for (const start of [0, 1, 15, 16, 17, 31, 32, 4095, length - 1, length].filter((at) => at >= 0)) {
        const part = await opened.slice(start, start + 5000).arrayBuffer();
        expect(Buffer.compare(new Uint8Array(part), plaintext.slice(start, start + 5000))).toBe(0);
      }
    }
  });

  it("of 100 kB in 2 GiB takes less than 0.6 MiB, wherever it lies", async () => {
    const { source, read, length } = await large();
    for (const offset of [0, 1_000_000, 2 ** 30 - 50_000, 2 ** 31 - 300_000, 2 ** 31 - 100_000]) {
      read.bytes = 0;
      read.requests = 0;
      const part = await openRanged(source, opening())
        .slice(offset, offset + 100_000)
        .arrayBuffer();
      expect(part.byteLength).toBe(100_000);
      expect(read.bytes).toBeLessThan(0.6 * 2 ** 20);
      expect(read.requests).toBe(2);
    }
    read.bytes = 0;
    expect(await openRanged(source, opening()).size()).toBe(length);
    expect(read.bytes).toBeLessThan(0.6 * 2 ** 20);
  });

  it("is given in buffers that hold nothing else, and tells progress", async () => {
    const message = await sealed(pattern.slice(0, 5000));
    const steps: number[] = [];
    const slice = openRanged(message, opening({ onProgress: (bytes) => steps.push(bytes) })).slice(500, 2500);
    let length = 0;
    for await (const chunk of slice.stream()) length += chunk.buffer.byteLength;
    expect(length).toBe(2000);
    expect(steps.at(-1)).toBe(2000);
  });

  it("has to begin at a place, and not to end before", async () => {
    const opened = openRanged(await sealed(pattern.slice(0, 10)), opening());
    for (const [start, end] of [[-1], [0.5], [Number.NaN], [2 ** 60], [5, 4], [0, -1], [0, Number.NaN]]) {
      expect(() => opened.slice(start, end)).toThrow(RangeError);
    }
    const stream = new Response("text").body as unknown as Blob;
    expect(() => open(stream, { ...opening(), range: { offset: 0, length: 1 } })).toThrow(TypeError);
  });
});

describe("what is fetched", () => {
  it("is the header once, for any number of readers, and what each needs", async () => {
    const { source, reads } = counting(await sealed(pattern, 10_000));
    let keys = 0;
    const dataKeyOnce = () => {
      keys++;
      return dataKey;
    };
    const opened = openRanged(source, opening({ dataKey: dataKeyOnce }));
    expect(reads).toEqual([]);
    const starts = Array.from({ length: 20 }, (_, i) => (i * 997 * 131) % 2_000_000);
    const parts = await Promise.all(starts.map((start) => opened.slice(start, start + 5000).arrayBuffer()));
    for (const [i, part] of parts.entries()) {
      expect(Buffer.compare(new Uint8Array(part), pattern.slice(starts[i], starts[i]! + 5000))).toBe(0);
    }
    expect(keys).toBe(1);
    expect(reads.filter(({ offset }) => offset === 0)).toHaveLength(1);
    expect(reads).toHaveLength(1 + starts.length);
    expect(Math.max(...reads.map(({ length }) => length))).toBeLessThanOrEqual(2 * 10_032 + 8);
    await Promise.all([opened.size(), opened.size()]);
    expect(reads).toHaveLength(2 + starts.length);
  });

  it("is the header again where it failed, and not where one of several gave up", async () => {
    const message = await sealed(pattern.slice(0, 3000));
    const waiting: (() => void)[] = [];
    const ended: unknown[] = [];
    const slow: RangedSource = {
      async read(offset, length, signal) {
        signal.addEventListener("abort", () => ended.push(signal.reason));
        await new Promise<void>((go) => waiting.push(go));
        if (waiting.length === 1) throw new Error("line cut");
        return { size: message.length, content: message.slice(offset, offset + length) };
      },
    };
    const opened = openRanged(slow, opening());
    const first = opened.slice(0, 10).arrayBuffer();
    await expect.poll(() => waiting.length).toBe(1);
    waiting[0]!();
    await expect(first).rejects.toThrow("line cut");

    const impatient = new AbortController();
    const one = opened.slice(0, 10).arrayBuffer(impatient.signal);
    const other = opened.slice(0, 10).arrayBuffer();
    await expect.poll(() => waiting.length).toBe(2);
    impatient.abort(new Error("enough"));
    await expect(one).rejects.toThrow("enough");
    waiting[1]!();
    await expect.poll(() => waiting.length).toBe(3);
    waiting[2]!();
    expect((await other).byteLength).toBe(10);
    expect(ended).toEqual([]);
  });

  it("ends with the signal, and when the stream is cancelled", async () => {
    const ended: unknown[] = [];
    const never: RangedSource = {
      read: (_, __, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            ended.push(signal.reason);
            reject(signal.reason);
          });
        }),
    };
    const abort = new AbortController();
    const reading = openRanged(never, opening()).slice(0, 10).arrayBuffer(abort.signal);
    await tick();
    abort.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    const sizing = openRanged(never, opening({ signal: AbortSignal.abort(new Error("before")) })).size();
    await expect(sizing).rejects.toThrow("before");
    const all = new AbortController();
    const size = openRanged(never, opening({ signal: all.signal })).size();
    await tick();
    all.abort(new Error("all"));
    await expect(size).rejects.toThrow("all");
    const stream = openRanged(never, opening()).slice(0, 10).stream().getReader();
    const read = stream.read();
    await tick();
    await stream.cancel("left");
    expect((await read).done).toBe(true);
    await expect.poll(() => ended).toEqual([new Error("enough"), new Error("all"), "left"]);
  });
});

describe("what is refused", () => {
  const plaintext = pattern.slice(0, 4500);
  const frame = 1032;
  async function message() {
    const bytes = await sealed(plaintext);
    const { length } = parseHeader(bytes)!;
    return { bytes, at: (sequence: number) => length + (sequence - 1) * frame };
  }
  const part = (bytes: Source | RangedSource, start: number, end: number) =>
    openRanged(bytes, opening()).slice(start, end).arrayBuffer();

  it("a frame at another place, of another message, or altered", async () => {
    const { bytes, at } = await message();
    const other = await message();
    const swapped = bytes.slice();
    swapped.set(bytes.subarray(at(3), at(4)), at(2));
    await expect(part(swapped, 1000, 1010)).rejects.toMatchObject(refused);
    // With the number of the place that it stands at, too.
    swapped.set(bytes.subarray(at(2), at(2) + 4), at(2));
    await expect(part(swapped, 1000, 1010)).rejects.toMatchObject(refused);
    const foreign = bytes.slice();
    foreign.set(other.bytes.subarray(at(2), at(3)), at(2));
    await expect(part(foreign, 1000, 1010)).rejects.toMatchObject(refused);
    for (let i = at(2); i < at(3); i++) {
      const changed = bytes.slice();
      changed[i]! ^= 1;
      await expect(part(changed, 1999, 2000)).rejects.toMatchObject(refused);
    }
  });

  it("a header that does not verify, another context, another key", async () => {
    const { bytes, at } = await message();
    for (let i = 0; i < at(1); i += 7) {
      const changed = bytes.slice();
      changed[i]! ^= 1;
      await expect(part(changed, 1000, 1010)).rejects.toMatchObject(refused);
    }
    const strange = openRanged(bytes, opening({ context: {} }));
    await expect(strange.slice(0, 1).arrayBuffer()).rejects.toMatchObject(refused);
    await expect(strange.size()).rejects.toMatchObject(refused);
    const missing = openRanged(
      bytes,
      opening({ dataKey: () => Promise.reject(new CofferError("key-missing")) }),
    );
    await expect(missing.slice(0, 1).arrayBuffer()).rejects.toMatchObject({ code: "key-missing" });
    await expect(missing.size()).rejects.toMatchObject({ code: "key-missing" });
    await expect(part(new Uint8Array(), 0, 1)).rejects.toMatchObject(refused);
    await expect(part(bytes.slice(0, 100), 0, 1)).rejects.toMatchObject(refused);
  });

  it("to say how long a message is that has lost its end, or to give less than was asked for; its middle can be read", async () => {
    const { bytes, at } = await message();
    // Cut between frames, with a final frame from elsewhere, or with a regular one cut to look like one.
    for (const cut of [
      bytes.subarray(0, at(4)),
      bytes.subarray(0, at(4) + 40),
      concat(bytes.subarray(0, at(3)), bytes.subarray(at(5))),
      bytes.subarray(0, -1),
      concat(bytes, new Uint8Array(1)),
      concat(bytes, new Uint8Array(frame)),
    ]) {
      const opened = openRanged(cut, opening());
      await expect(opened.size()).rejects.toMatchObject(refused);
      for (const start of [2500, 4400, 4500, 4600, 1e9]) {
        await expect(opened.slice(start).arrayBuffer()).rejects.toMatchObject(refused);
        await expect(opened.slice(start, start + 1e9).arrayBuffer()).rejects.toMatchObject(refused);
      }
    }
    const middle = openRanged(concat(bytes.subarray(0, at(3)), bytes.subarray(at(5))), opening());
    expect(new Uint8Array(await middle.slice(1000, 1500).arrayBuffer())).toEqual(plaintext.slice(1000, 1500));
  });

  it("a source that says of its size what is not so", async () => {
    const { bytes, at } = await message();
    const saying = (size: number): RangedSource => ({
      read: async (offset, length) => ({ size, content: bytes.slice(offset, offset + length) }),
    });
    for (const size of [
      0,
      at(1),
      at(2) + 40,
      at(3) + 40,
      bytes.length - 1,
      bytes.length + frame,
      Number.NaN,
      2 ** 60,
      -1,
      0.5,
    ]) {
      await expect(openRanged(saying(size), opening()).size()).rejects.toMatchObject(refused);
      await expect(part(saying(size), 4400, 4500)).rejects.toMatchObject(refused);
    }
    let size = bytes.length;
    const growing: RangedSource = {
      read: async (offset, length) => ({ size: size++, content: bytes.slice(offset, offset + length) }),
    };
    await expect(part(growing, 0, 1)).rejects.toMatchObject({ code: "source-changed" });
  });

  it("a File that was changed since it was chosen", async () => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-ranged-"));
    try {
      const path = join(folder, "file");
      writeFileSync(path, await sealed(pattern, 100_000));
      const opened = openRanged(await openAsBlob(path), opening());
      expect((await opened.slice(0, 10).arrayBuffer()).byteLength).toBe(10);
      truncateSync(path, 500_000);
      await expect(opened.slice(10, 20).arrayBuffer()).rejects.toMatchObject({ code: "source-changed" });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("a message that is authentic as a whole alone: signed, or not framed", async () => {
    const signed = await awsSeal(new FixedKeyring(secret), plaintext, context, 1000, SIGNED_SUITE);
    await expect(part(signed, 0, 1)).rejects.toMatchObject({ code: "not-seekable" });
    await expect(openRanged(signed, opening()).size()).rejects.toMatchObject({ code: "not-seekable" });
    const altered = signed.slice();
    altered[150]! ^= 1;
    await expect(part(altered, 0, 1)).rejects.toMatchObject(refused);
  });
});
