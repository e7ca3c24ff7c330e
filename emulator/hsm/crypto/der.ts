/** The forms of DER (X.690) that PKCS#12 and transparent keys need, beside those of protocol/pki. */

import {
  BIT_STRING,
  CONTEXT,
  type DerReader,
  encode,
  INTEGER,
  OBJECT_IDENTIFIER,
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

/** Reads an object identifier; gives it as `objectIdentifier` takes it. */
export function readObjectIdentifier(reader: DerReader): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of reader.read(OBJECT_IDENTIFIER).contents) {
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...others] = numbers;
  const root = Math.min(Math.trunc(first / 40), 2);
  return [root, first - 40 * root, ...others].join(".");
}

/** Reads a number of up to 6 bytes. */
export function readInteger(reader: DerReader): number {
  const { contents } = reader.read(INTEGER);
  if (contents.length === 0 || contents.length > 6) throw new RangeError("Not a small number");
  return Buffer.from(contents).readIntBE(0, contents.length);
}
