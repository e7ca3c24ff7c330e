/** The few forms of DER (X.690) that this server writes by itself. */

type Bytes = Uint8Array<ArrayBuffer>;

function tagged(tag: number, content: Uint8Array): Bytes {
  const { length } = content;
  const size = length < 0x80 ? [length] : longLength(length);
  return new Uint8Array(Buffer.concat([Buffer.of(tag, ...size), content]));
}

function longLength(length: number): number[] {
  const hex = length.toString(16);
  const bytes = [...Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex")];
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...parts: Uint8Array[]): Bytes => tagged(0x30, Buffer.concat(parts));
export const setOf = (...parts: Uint8Array[]): Bytes => tagged(0x31, Buffer.concat(parts));
export const octetString = (bytes: Uint8Array): Bytes => tagged(0x04, bytes);
export const explicit = (number: number, part: Uint8Array): Bytes => tagged(0xa0 | number, part);
export const nothing: Bytes = tagged(0x05, new Uint8Array());
/** UTF-16BE. */
export const bmpString = (text: string): Bytes => tagged(0x1e, Buffer.from(text, "utf16le").swap16());

/** A number from 0 to 2^31 - 1. */
export function integer(value: number): Bytes {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  let start = 0;
  while (start < 4 && bytes[start] === 0 && bytes[start + 1]! < 0x80) start++;
  return tagged(0x02, bytes.subarray(start));
}

/** A number that is not negative. */
export function unsigned(value: bigint): Bytes {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return tagged(0x02, bytes[0]! < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes]));
}

/** Whole bytes of bits. */
export const bitString = (bytes: Uint8Array): Bytes => tagged(0x03, Buffer.concat([Buffer.of(0), bytes]));

export function objectIdentifier(dotted: string): Bytes {
  const [first = 0, second = 0, ...others] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...others].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let rest = arc >> 7; rest > 0; rest >>= 7) groups.unshift(0x80 | (rest & 0x7f));
    return groups;
  });
  return tagged(0x06, Buffer.from(bytes));
}

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
