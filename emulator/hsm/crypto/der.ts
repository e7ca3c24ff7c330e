/** The forms of DER (X.690) that PKCS#12 and transparent keys need, beside those of protocol/pki; a reader that takes longer lengths too. */

import {
  BIT_STRING,
  CONTEXT,
  encode,
  OCTET_STRING,
  SEQUENCE,
  SET,
  unsignedInteger,
} from "#protocol/pki/der.ts";

export { objectIdentifier } from "#protocol/pki/der.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export const sequence = (...parts: Uint8Array[]): Bytes => encode(SEQUENCE, ...parts);
export const setOf = (...parts: Uint8Array[]): Bytes => encode(SET, ...parts);
export const octetString = (bytes: Uint8Array): Bytes => encode(OCTET_STRING, bytes);
export const explicit = (number: number, part: Uint8Array): Bytes => encode(CONTEXT | number, part);
export const nothing: Bytes = encode(0x05);
/** UTF-16BE. */
export const bmpString = (text: string): Bytes => encode(0x1e, Buffer.from(text, "utf16le").swap16());
/** Whole bytes of bits. */
export const bitString = (bytes: Uint8Array): Bytes => encode(BIT_STRING, Uint8Array.of(0), bytes);

/** A number that is not negative. */
export function unsigned(value: bigint): Bytes {
  const hex = value.toString(16);
  return unsignedInteger(Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex"));
}

/** A number from 0 to 2^53 - 1. */
export const integer = (value: number): Bytes => unsigned(BigInt(value));

/** A part of a DER structure: its tag, what it holds, and itself. */
export interface Part {
  tag: number;
  content: Uint8Array;
  whole: Uint8Array;
}

/** The parts that stand one after another in these bytes; throws where they are no DER. */
export function readParts(bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at]!;
    let length = bytes[at + 1] ?? Number.NaN;
    let start = at + 2;
    if (length >= 0x80) {
      const size = length & 0x7f;
      if (size === 0 || size > 4 || start + size > bytes.length) throw new RangeError("No length of DER");
      length = 0;
      for (const end = start + size; start < end; start++) length = length * 256 + bytes[start]!;
    }
    if ((tag & 0x1f) === 0x1f || !(start + length <= bytes.length)) throw new RangeError("Not DER");
    parts.push({
      tag,
      content: bytes.subarray(start, start + length),
      whole: bytes.subarray(at, start + length),
    });
    at = start + length;
  }
  return parts;
}

/** Object identifiers as `objectIdentifier` takes them. */
export function readObjectIdentifier({ tag, content }: Part): string {
  if (tag !== 0x06) throw new RangeError("Not an object identifier");
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...others] = numbers;
  const root = Math.min(Math.trunc(first / 40), 2);
  return [root, first - 40 * root, ...others].join(".");
}

/** A number of up to 6 bytes. */
export function readInteger({ tag, content }: Part): number {
  if (tag !== 0x02 || content.length === 0 || content.length > 6) throw new RangeError("Not a small number");
  return Buffer.from(content).readIntBE(0, content.length);
}
