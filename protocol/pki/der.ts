/** DER (X.690 §8, §10): a writer, and a reader of definite lengths and low tag numbers, strict unless told otherwise. */
import { concat } from "../bytes.ts";

export const BOOLEAN = 0x01;
export const SEQUENCE = 0x30;
export const SET = 0x31;
export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const OBJECT_IDENTIFIER = 0x06;
export const UTF8_STRING = 0x0c;
export const PRINTABLE_STRING = 0x13;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
/** Context-specific, constructed. */
export const CONTEXT = 0xa0;

/** Writes one value: tag, shortest length, contents. */
export function encode(tag: number, ...contents: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concat(...contents);
  const { length } = body;
  if (length < 0x80) return concat(new Uint8Array([tag, length]), body);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) octets.unshift(rest & 0xff);
  return concat(new Uint8Array([tag, 0x80 | octets.length, ...octets]), body);
}

/** An object identifier from its dotted text; arcs of any size. */
export function objectIdentifier(dotted: string): Uint8Array<ArrayBuffer> {
  const [first = 0n, second = 0n, ...rest] = dotted.split(".").map(BigInt);
  const octets = [40n * first + second, ...rest].flatMap((arc) => {
    const groups = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80);
    return groups;
  });
  return encode(OBJECT_IDENTIFIER, new Uint8Array(octets));
}

/** A non-negative integer from its big-endian bytes, leading zeros allowed. */
export function unsignedInteger(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let at = 0;
  while (at < bytes.length - 1 && bytes[at] === 0) at++;
  const magnitude = bytes.subarray(at);
  const [first = 0] = magnitude;
  return encode(INTEGER, first & 0x80 ? concat(new Uint8Array(1), magnitude) : magnitude);
}

/** One value: its tag, its contents, and all of its bytes. */
export type Value = { tag: number; contents: Uint8Array; bytes: Uint8Array };

/**
 * Reads values one after another. Every method throws `TypeError` for what is not DER; with lengths `"any"`, what is not
 * BER of definite lengths, whose length may be written in more octets than it needs (X.690 §8.1.3), at most four.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #lengths: "shortest" | "any";
  #at = 0;

  constructor(bytes: Uint8Array, lengths: "shortest" | "any" = "shortest") {
    this.#bytes = bytes;
    this.#lengths = lengths;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Tag of the next value; undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** The next value, which must have the tag `expected` if that is given. */
  read(expected?: number): Value {
    const start = this.#at;
    const tag = this.#octet();
    if ((tag & 0x1f) === 0x1f || (expected !== undefined && tag !== expected))
      throw new TypeError("not this DER");
    let length = this.#octet();
    if (length >= 0x80) {
      const octets = length & 0x7f;
      const any = this.#lengths === "any";
      if (octets < 1 || octets > (any ? 4 : 3)) throw new TypeError("not DER");
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + this.#octet();
      if (!any && (length < 0x80 || length < 256 ** (octets - 1))) throw new TypeError("not DER");
    }
    const from = this.#at;
    if (length > this.#bytes.length - from) throw new TypeError("DER is cut off");
    this.#at = from + length;
    return {
      tag,
      contents: this.#bytes.subarray(from, this.#at),
      bytes: this.#bytes.subarray(start, this.#at),
    };
  }

  /** Enters the next value, a constructed one. */
  enter(tag: number): DerReader {
    return new DerReader(this.read(tag).contents, this.#lengths);
  }

  /** Throws unless all has been read. */
  end(): void {
    if (!this.done) throw new TypeError("more than expected");
  }

  #octet(): number {
    const octet = this.#bytes[this.#at++];
    if (octet === undefined) throw new TypeError("DER is cut off");
    return octet;
  }
}
