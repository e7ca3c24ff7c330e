/** Cuts a byte stream into KMIP messages by the length in the first TTLV header. */

import { gather } from "./gather.ts";

const HEADER = 8;
const STRUCTURE = 0x01;

/** The peer sent what no KMIP message begins with, or more than is allowed; the connection cannot go on. */
export class FramingError extends Error {
  override name = "FramingError";
  readonly code: "too-long" | "not-kmip";

  constructor(code: FramingError["code"]) {
    super(code === "too-long" ? "message too long" : "not a KMIP message");
    this.code = code;
  }
}

/** Collects chunks of any size; holds at most one message of `limit` bytes (header included) and a chunk. */
export class Framing {
  #chunks: Uint8Array[] = [];
  #held = 0;
  #tag: number;
  #limit: number;

  /** `tag` opens every message: 0x420078 for requests, 0x42007B for responses. */
  constructor(tag: number, limit: number) {
    this.#tag = tag;
    this.#limit = limit;
  }

  /** Bytes of a message that is not complete yet. */
  get partial(): boolean {
    return this.#held > 0;
  }

  /** Takes a chunk, yields the messages that it completes; throws `FramingError`. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    if (chunk.length > 0) {
      gather(this.#chunks, chunk);
      this.#held += chunk.length;
    }
    while (this.#held >= HEADER) {
      const length = this.#messageLength();
      if (this.#held < length) return;
      yield this.#take(length);
    }
  }

  #messageLength(): number {
    const header = this.#peekHeader();
    if (header.readUIntBE(0, 3) !== this.#tag || header[3] !== STRUCTURE) throw new FramingError("not-kmip");
    const length = HEADER + header.readUInt32BE(4);
    if (length > this.#limit) throw new FramingError("too-long");
    return length;
  }

  #peekHeader(): Buffer {
    let [first] = this.#chunks;
    if (first === undefined || first.length < HEADER) {
      first = Buffer.concat(this.#chunks, this.#held);
      this.#chunks = [first];
    }
    return Buffer.from(first.buffer, first.byteOffset, HEADER);
  }

  #take(length: number): Uint8Array {
    const [first] = this.#chunks;
    const all = first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks, this.#held);
    const rest = all.subarray(length);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
    return new Uint8Array(all.subarray(0, length));
  }
}

export const REQUEST_MESSAGE = 0x420078;
export const RESPONSE_MESSAGE = 0x42007b;
