import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findVectors } from "#test/support/missing.ts";
import { concat, utf8 } from "../bytes.ts";
import { CofferError } from "../error.ts";
import {
  type OpenOptions,
  open,
  openStream,
  parseHeader,
  type SealOptions,
  seal,
  sealedLength,
  sealStream,
} from "./index.ts";

const subtle = crypto.subtle;
const context = { tenant: "acme", account: "a-1", document: "d-1", purpose: "document" };
const encryptedDataKeys = [
  { providerId: "coffer", providerInfo: utf8("k.1"), encryptedDataKey: new Uint8Array([1, 2, 3]) },
];

function importDataKey(
  bytes: Uint8Array<ArrayBuffer>,
  usages: KeyUsage[] = ["deriveKey"],
): Promise<CryptoKey> {
  return subtle.importKey("raw", bytes, "HKDF", false, usages);
}
const dataKey = await importDataKey(new Uint8Array(32).fill(7));

function sealing(options: Partial<SealOptions> = {}): SealOptions {
  return {
    subtle,
    random: (array) => crypto.getRandomValues(array),
    dataKey,
    context,
    encryptedDataKeys,
    ...options,
  };
}
function opening(options: Partial<OpenOptions> = {}): OpenOptions {
  return { subtle, dataKey: () => dataKey, context, ...options };
}
async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return concat(...chunks);
}
function pattern(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, i) => (i * 31 + (i >> 8)) & 0xff);
}
function streamOf(chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}
/** A stream of `bytes` cut at the given places, with empty chunks between. */
function pieces(bytes: Uint8Array, cuts: number[]): ReadableStream<Uint8Array> {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return streamOf(at.slice(1).map((end, i) => bytes.slice(at[i], end)));
}

describe("seal and open", () => {
  it.each([
    0,
    1,
    255 << 10,
    (256 << 10) - 1,
    256 << 10,
    (256 << 10) + 1,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    3_333_333,
  ])("round trip of %i bytes, as bytes, Blob and streams", async (length) => {
    const plaintext = pattern(length);
    const message = await collect(seal(plaintext, sealing()));
    const header = parseHeader(message)!;
    expect(message.length).toBe(sealedLength(length, header.length));
    expect(header.context).toEqual(context);
    expect(Buffer.compare(await collect(open(message, opening())), plaintext)).toBe(0);
    const fromBlob = await collect(seal(new Blob([plaintext]), sealing()));
    expect(Buffer.compare(await collect(open(new Blob([fromBlob]), opening())), plaintext)).toBe(0);
    const piped = new Blob([plaintext])
      .stream()
      .pipeThrough(sealStream(sealing()))
      .pipeThrough(openStream(opening()));
    expect(Buffer.compare(await collect(piped), plaintext)).toBe(0);
  });

  it("any size, any split, any view, any frame length", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 0, max: 9 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        async (frameLength, length, offset, cuts) => {
          const plaintext = pattern(length + offset + 3).subarray(offset, offset + length);
          const message = await collect(seal(pieces(plaintext, cuts), sealing({ frameLength })));
          expect(message.length).toBe(sealedLength(length, parseHeader(message)!.length, frameLength));
          expect(await collect(open(pieces(message, cuts), opening()))).toEqual(plaintext.slice());
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  it("any split around frame edges of the standard frame length", async () => {
    const edge = 256 << 10;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: -2, max: 2 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        async (frames, delta, cuts) => {
          const plaintext = pattern(Math.max(0, frames * edge + delta));
          const message = await collect(seal(pieces(plaintext, cuts), sealing()));
          expect(Buffer.compare(await collect(open(pieces(message, cuts), opening())), plaintext)).toBe(0);
        },
      ),
      { numRuns: 12, seed: 2 },
    );
  });

  it("a message byte by byte", async () => {
    const plaintext = pattern(50);
    const bytes = (array: Uint8Array) => streamOf([...array].map((byte) => new Uint8Array([byte])));
    const message = await collect(seal(bytes(plaintext), sealing({ frameLength: 16 })));
    expect(await collect(open(bytes(message), opening()))).toEqual(plaintext);
  });

  it("uses a fresh message id and key for every message, and never an extractable or wider data key", async () => {
    const [a, b] = await Promise.all([
      collect(seal(pattern(9), sealing())),
      collect(seal(pattern(9), sealing())),
    ]);
    expect(parseHeader(a)!.messageId).not.toEqual(parseHeader(b)!.messageId);
    const wide = await importDataKey(new Uint8Array(32), ["deriveKey", "deriveBits"]);
    await expect(collect(seal(pattern(9), sealing({ dataKey: wide })))).rejects.toMatchObject({
      code: "key-unusable",
    });
    await expect(collect(open(a, opening({ dataKey: () => wide })))).rejects.toMatchObject({
      code: "decrypt-failed",
    });
  });

  it("holds a bounded amount ahead of a slow consumer", async () => {
    let read = 0;
    const endless = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          read += 1 << 20;
          controller.enqueue(new Uint8Array(1 << 20));
        },
      },
      { highWaterMark: 0 },
    );
    const reader = seal(endless, sealing()).getReader();
    for (let i = 0; i < 4; i++) await reader.read();
    expect(read).toBeLessThan(12 << 20);
    await reader.cancel();
  });

  it("gives frames of a slow source without waiting for more", async () => {
    const source = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array((1 << 20) + 1)),
    });
    const reader = seal(source, sealing()).getReader();
    await reader.read();
    // Four frames in two chunks each.
    for (let chunk = 0; chunk < 8; chunk++) expect((await reader.read()).value!.length).toBeGreaterThan(0);
    await reader.cancel();
  });

  it("tells progress", async () => {
    const sealed: number[] = [];
    const opened: number[] = [];
    const message = await collect(
      seal(pattern(2_500_000), sealing({ onProgress: (bytes) => sealed.push(bytes) })),
    );
    await collect(open(message, opening({ onProgress: (bytes) => opened.push(bytes) })));
    for (const steps of [sealed, opened]) {
      expect(steps.at(-1)).toBe(2_500_000);
      expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    }
  });

  it("stops on a signal with its reason, and cancels the source", async () => {
    for (const start of [seal, open]) {
      let cancelled: unknown;
      const abort = new AbortController();
      const source = new ReadableStream<Uint8Array>({
        cancel(reason) {
          cancelled = reason;
        },
      });
      const options = {
        ...sealing({ signal: abort.signal }),
        ...opening({ signal: abort.signal }),
        dataKey: dataKey as never,
      };
      const read = start(source, options).getReader().read();
      abort.abort(new Error("enough"));
      await expect(read).rejects.toThrow("enough");
      expect(cancelled).toMatchObject({ message: "enough" });
    }
  });

  it("passes on the errors of the source and of the key", async () => {
    const broken = () =>
      new ReadableStream<Uint8Array>({ pull: () => Promise.reject(new Error("line cut")) });
    await expect(collect(seal(broken(), sealing()))).rejects.toThrow("line cut");
    await expect(collect(open(broken(), opening()))).rejects.toThrow("line cut");
    const message = await collect(seal(pattern(9), sealing()));
    const missing = opening({ dataKey: () => Promise.reject(new CofferError("key-missing")) });
    await expect(collect(open(message, missing))).rejects.toMatchObject({ code: "key-missing" });
  });
});

describe("tampering", () => {
  const frameLength = 300;
  const plaintext = pattern(800);
  async function refused(message: Uint8Array, options = opening()): Promise<void> {
    await expect(collect(open(message, options))).rejects.toMatchObject({ code: "decrypt-failed" });
  }
  async function sealed() {
    const message = await collect(seal(plaintext, sealing({ frameLength })));
    const { length } = parseHeader(message)!;
    return { message, first: length, second: length + 332, final: length + 664 };
  }

  it("every single bit of a three-frame document", async () => {
    const { message } = await sealed();
    expect(message.length).toBeLessThan(2048);
    expect(await collect(open(message, opening()))).toEqual(plaintext);
    const bits = Array.from({ length: message.length * 8 }, (_, bit) => bit);
    for (let at = 0; at < bits.length; at += 64) {
      const outcomes = await Promise.all(
        bits.slice(at, at + 64).map((bit) => {
          const changed = message.slice();
          changed[bit >> 3]! ^= 1 << (bit & 7);
          return collect(open(changed, opening())).catch((error: CofferError) => error.code);
        }),
      );
      expect(outcomes).toEqual(outcomes.map(() => "decrypt-failed"));
    }
  }, 60_000);

  it("every cut, and anything after the end", async () => {
    const { message } = await sealed();
    const cuts = Array.from({ length: message.length }, (_, length) => message.subarray(0, length));
    const outcomes = await Promise.all(
      cuts.map((cut) => collect(open(cut, opening())).catch((error: CofferError) => error.code)),
    );
    expect(outcomes).toEqual(outcomes.map(() => "decrypt-failed"));
    await refused(concat(message, new Uint8Array(1)));
    await refused(concat(message, message));
  });

  it("frames swapped, doubled, dropped, or from another message", async () => {
    const { message, first, second, final } = await sealed();
    const other = await sealed();
    const [header, one, two, end] = [
      message.subarray(0, first),
      message.subarray(first, second),
      message.subarray(second, final),
      message.subarray(final),
    ];
    await refused(concat(header, two, one, end));
    await refused(concat(header, one, one, two, end));
    await refused(concat(header, two, end));
    await refused(concat(header, one, end));
    await refused(concat(header, end));
    await refused(concat(header, one, two, one));
    await refused(concat(header, one, two, other.message.subarray(other.final)));
  });

  it("another context, another key", async () => {
    const { message } = await sealed();
    const contexts: Record<string, string>[] = [
      { ...context, document: "d-2" },
      { ...context, more: "" },
      { tenant: "acme", account: "a-1", document: "d-1" },
      {},
    ];
    for (const changed of contexts) await refused(message, opening({ context: changed }));
    const other = await importDataKey(new Uint8Array(32).fill(8));
    await refused(message, opening({ dataKey: () => other }));
  });

  it("a frame length that is not bounded, or one of a message that is not framed", async () => {
    const { message } = await sealed();
    const at = parseHeader(message)!.body.length - 32 - 4;
    const view = new DataView(message.buffer);
    expect(view.getUint32(at)).toBe(frameLength);
    for (const length of [16 << 20, 1]) {
      view.setUint32(at, length);
      expect(parseHeader(message)).toMatchObject({ frameLength: length });
    }
    for (const length of [0, (16 << 20) + 1, 0xffffffff]) {
      view.setUint32(at, length);
      expect(() => parseHeader(message)).toThrow(expect.objectContaining({ code: "decrypt-failed" }));
    }
    view.setUint32(at, frameLength);
    message[at - 1] = 1;
    expect(() => parseHeader(message)).toThrow(expect.objectContaining({ code: "decrypt-failed" }));
  });

  it("names in the context that the format keeps for itself, before anything is sealed", async () => {
    const reserved = sealing({ context: { ...context, "aws-crypto-public-key": "x" } });
    await expect(collect(seal(plaintext, reserved))).rejects.toMatchObject({ code: "context-invalid" });
  });

  it("a hostile header: lengths beyond the bounds are refused before bytes are waited for", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
        await refused(concat(new Uint8Array([2, 4, 0x78]), noise));
      }),
      { numRuns: 100, seed: 3 },
    );
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array([2, 4, 0x78])),
      pull: (controller) => controller.enqueue(new Uint8Array(4096).fill(255)),
    });
    await expect(collect(open(endless, opening()))).rejects.toMatchObject({ code: "decrypt-failed" });
  });
});

const vectors = findVectors("esdk/message-v2.json");
type Vector = {
  comment: string;
  status: boolean;
  ciphertext: string;
  "decrypted-dek": string;
  "encryption-context": Record<string, string>;
  "plaintext-frames"?: string[];
};

describe.skipIf(!vectors)("official vectors of message format 2", () => {
  const { tests } = vectors
    ? (JSON.parse(readFileSync(vectors, "utf8")) as { tests: Vector[] })
    : { tests: [] };
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
  for (const vector of tests) {
    const message = bytes(vector.ciphertext);
    const options = async () => {
      const key = await importDataKey(bytes(vector["decrypted-dek"]));
      return opening({ dataKey: () => key, context: vector["encryption-context"] });
    };
    it(`${vector.status ? "opens" : "refuses"} ${vector.comment}`, async () => {
      const plaintext = collect(open(message, await options()));
      if (!vector.status) return expect(plaintext).rejects.toMatchObject({ code: "decrypt-failed" });
      expect(Buffer.from(await plaintext).toString()).toBe(vector["plaintext-frames"]!.join(""));
      const slowly = streamOf([...message].map((byte) => new Uint8Array([byte])));
      expect(Buffer.from(await collect(open(slowly, await options()))).toString()).toBe(
        vector["plaintext-frames"]!.join(""),
      );
    });
  }
});
