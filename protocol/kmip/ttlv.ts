/** TTLV: tag (3 bytes), type (1), length (4), value padded to 8 bytes (KMIP 2.1 §10.1 TTLV Encoding). */

import { KmipDecodeError, KmipEncodeError } from "./errors.ts";
import { type Bytes, ITEM_TYPES, type Item, type ItemType, LIMITS, type Limits, wellFormed } from "./item.ts";

const TYPE_NUMBERS = Object.fromEntries(ITEM_TYPES.map((type, number) => [type, number])) as Record<
  ItemType,
  number
>;
/** Lengths that a type prescribes, by type number; 0 where it varies. */
const FIXED_LENGTHS = [0, 0, 4, 8, 0, 4, 8, 0, 0, 8, 4, 8];

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Writer {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Makes room for `size` bytes, zeroed, and returns where they begin. */
  #reserve(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  #head(item: Item, length: number, padded: number): number {
    const at = this.#reserve(8 + padded);
    this.#view.setUint32(at, (item.tag << 8) | TYPE_NUMBERS[item.type]);
    this.#view.setUint32(at + 4, length);
    return at + 8;
  }

  write(item: Item): void {
    // Room is made before the view is touched: making room may replace it.
    switch (item.type) {
      case "Structure": {
        const at = this.#head(item, 0, 0);
        for (const child of item.value) this.write(child);
        this.#view.setUint32(at - 4, this.#length - at);
        return;
      }
      case "Integer": {
        const value = checked(item, -0x80000000, 0x7fffffff);
        const at = this.#head(item, 4, 8);
        this.#view.setInt32(at, value);
        return;
      }
      case "Enumeration":
      case "Interval": {
        const value = checked(item, 0, 0xffffffff);
        const at = this.#head(item, 4, 8);
        this.#view.setUint32(at, value);
        return;
      }
      case "LongInteger":
      case "DateTime":
      case "DateTimeExtended": {
        if (BigInt.asIntN(64, item.value) !== item.value) throw outOfRange(item);
        const at = this.#head(item, 8, 8);
        this.#view.setBigInt64(at, item.value);
        return;
      }
      case "Boolean": {
        const at = this.#head(item, 8, 8);
        this.#bytes[at + 7] = item.value ? 1 : 0;
        return;
      }
      case "BigInteger":
        this.#bigInteger(item, item.value);
        return;
      case "TextString":
        this.#textString(item, item.value);
        return;
      case "ByteString":
        this.#byteString(item, item.value);
        return;
    }
  }

  #byteString(item: Item, value: Uint8Array): void {
    const at = this.#head(item, value.length, (value.length + 7) & ~7);
    this.#bytes.set(value, at);
  }

  #textString(item: Item, text: string): void {
    const { length } = text;
    if (length < 48) {
      const at = this.#head(item, length, (length + 7) & ~7);
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        this.#bytes[at + i] = code;
      }
      if (i === length) return;
      this.#bytes.fill(0, at - 8, this.#length);
      this.#length = at - 8;
    }
    this.#byteString(item, encoder.encode(wellFormed(text)));
  }

  /** Two's complement, as few groups of 8 bytes as hold it. */
  #bigInteger(item: Item, value: bigint): void {
    const hex = (value < 0n ? -value - 1n : value).toString(16);
    // And a bit for the sign.
    const bits = hex.length * 4 - Math.clz32(Number.parseInt(hex.charAt(0), 16)) + 28 + 1;
    const length = ((bits + 63) >> 6) * 8;
    const digits = BigInt.asUintN(length * 8, value)
      .toString(16)
      .padStart(length * 2, "0");
    let at = this.#head(item, length, length);
    for (let i = 0; i < digits.length; i += 8, at += 4) {
      this.#view.setUint32(at, Number.parseInt(digits.slice(i, i + 8), 16));
    }
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}

function outOfRange(item: Item): KmipEncodeError {
  return new KmipEncodeError(`${item.type} of tag ${item.tag.toString(16)} is out of range`);
}

function checked(item: Item & { value: number }, minimum: number, maximum: number): number {
  if (Number.isInteger(item.value) && item.value >= minimum && item.value <= maximum) return item.value;
  throw outOfRange(item);
}

/** Encodes an item tree. Throws `KmipEncodeError` for a number that its type cannot hold. */
export function encodeTtlv(item: Item): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.write(item);
  return writer.finish();
}

class Reader {
  readonly #bytes: Bytes;
  readonly #view: DataView;
  readonly #limits: Limits;
  #items = 0;
  #at = 0;

  constructor(bytes: Bytes, limits: Limits) {
    // Of a Buffer too, byte strings are to be plain arrays.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
  }

  read(end: number, depth: number): Item {
    const start = this.#at;
    if (end - start < 8) throw new KmipDecodeError("item header is cut off", { offset: start });
    if (++this.#items > this.#limits.maximumItems)
      throw new KmipDecodeError("too many items", { offset: start });
    const head = this.#view.getUint32(start);
    const tag = head >>> 8;
    const number = head & 0xff;
    const type = ITEM_TYPES[number];
    if (type === undefined) throw new KmipDecodeError(`unknown item type ${number}`, { offset: start + 3 });
    const length = this.#view.getUint32(start + 4);
    const fixed = FIXED_LENGTHS[number];
    if (fixed !== 0 && length !== fixed)
      throw new KmipDecodeError(`${type} of ${length} bytes`, { offset: start + 4 });
    const at = start + 8;
    if (length > end - at)
      throw new KmipDecodeError("length runs past the enclosing structure", { offset: start + 4 });
    const next = at + Math.ceil(length / 8) * 8;
    if (next > end) throw new KmipDecodeError("padding is cut off", { offset: at + length });
    for (let i = at + length; i < next; i++) {
      if (this.#bytes[i] !== 0) throw new KmipDecodeError("padding is not zero", { offset: i });
    }
    this.#at = next;
    switch (type) {
      case "Structure": {
        // Items fill multiples of 8 bytes, so what is left over could be read as an item of padding.
        if (length % 8 !== 0)
          throw new KmipDecodeError(`Structure of ${length} bytes`, { offset: start + 4 });
        if (depth >= this.#limits.maximumDepth)
          throw new KmipDecodeError("structures nested too deep", { offset: start });
        const value: Item[] = [];
        this.#at = at;
        while (this.#at < next) value.push(this.read(next, depth + 1));
        return { tag, type, value };
      }
      case "Integer":
        return { tag, type, value: this.#view.getInt32(at) };
      case "Enumeration":
      case "Interval":
        return { tag, type, value: this.#view.getUint32(at) };
      case "LongInteger":
      case "DateTime":
      case "DateTimeExtended":
        return { tag, type, value: this.#view.getBigInt64(at) };
      case "Boolean": {
        const value = this.#view.getBigUint64(at);
        if (value > 1n) throw new KmipDecodeError("Boolean is neither 0 nor 1", { offset: at });
        return { tag, type, value: value === 1n };
      }
      case "BigInteger":
        if (length === 0 || length % 8 !== 0)
          throw new KmipDecodeError(`BigInteger of ${length} bytes`, { offset: start + 4 });
        return { tag, type, value: this.#bigInteger(at, length) };
      case "TextString":
        return { tag, type, value: this.#textString(at, length) };
      case "ByteString":
        return { tag, type, value: this.#bytes.subarray(at, at + length) };
    }
  }

  #textString(at: number, length: number): string {
    if (length < 32) {
      let text = "";
      let i = at;
      for (; i < at + length; i++) {
        const byte = this.#view.getUint8(i);
        if (byte > 0x7f) break;
        text += String.fromCharCode(byte);
      }
      if (i === at + length) return text;
    }
    try {
      return decoder.decode(this.#bytes.subarray(at, at + length));
    } catch (cause) {
      throw new KmipDecodeError("TextString is not UTF-8", { offset: at, cause });
    }
  }

  #bigInteger(at: number, length: number): bigint {
    let hex = "0x";
    for (let i = at; i < at + length; i += 4) hex += this.#view.getUint32(i).toString(16).padStart(8, "0");
    return BigInt.asIntN(length * 8, BigInt(hex));
  }

  expectEnd(): void {
    if (this.#at !== this.#bytes.length)
      throw new KmipDecodeError("bytes after the message", { offset: this.#at });
  }
}

/**
 * Decodes exactly one item. Byte strings are views of `bytes`, not copies.
 * Throws `KmipDecodeError` with the offset for anything else; never allocates more than a small multiple of the input.
 */
export function decodeTtlv(bytes: Uint8Array, limits: Partial<Limits> = {}): Item {
  const bounds = { ...LIMITS, ...limits };
  if (bytes.length > bounds.maximumLength) throw new KmipDecodeError("message too long", { offset: 0 });
  const reader = new Reader(bytes, bounds);
  const item = reader.read(bytes.length, 0);
  reader.expectEnd();
  return item;
}
