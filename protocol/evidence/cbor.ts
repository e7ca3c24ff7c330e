/**
 * CBOR (RFC 8949) as evidence has it: integers, byte and text strings, arrays, maps, true, false and null, of definite or
 * indefinite length, and one tag around the whole. A map's keys are integers or text, and no key comes twice. Floats,
 * other tags and simple values, trailing bytes, and more depth or items than evidence has are refused.
 */

export type CborValue = null | boolean | number | string | Uint8Array | CborValue[] | CborMap;
export type CborMap = ReadonlyMap<number | string, CborValue>;

/** Arrays and maps in each other. A Nitro document has two. */
const MAX_DEPTH = 4;
/** Values, keys and pieces of strings in one document. A Nitro document has at most some 140. */
const MAX_ITEMS = 512;

const INDEFINITE = 31;
const BREAK = 0xff;

/**
 * The one value that `bytes` hold, in the given tag or in none. Byte strings are parts of `bytes` where they are not in
 * pieces. Throws an `Error` for all that is not this.
 */
export function decodeCbor(bytes: Uint8Array, tag?: number): CborValue {
  const reader = new Reader(bytes);
  if (tag !== undefined) reader.skipTag(tag);
  const value = reader.value(0);
  reader.end();
  return value;
}

/** Major types (RFC 8949 §3.1). */
const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG] = [0, 1, 2, 3, 4, 5, 6];

/** Initial byte in its two parts, and the argument: null for an indefinite length. */
type Head = { major: number; info: number; argument: number | null };

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #items = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Error("CBOR has trailing bytes");
  }

  skipTag(tag: number): void {
    const start = this.#at;
    const { major, argument } = this.#head();
    if (major !== TAG) this.#at = start;
    else if (argument !== tag) throw new Error("CBOR has another tag");
  }

  value(depth: number): CborValue {
    const { major, info, argument } = this.#head();
    if (major === UNSIGNED) return definite(argument);
    if (major === NEGATIVE) return -1 - definite(argument);
    if (major === BYTES) return this.#string(BYTES, argument);
    if (major === TEXT) return textOf(this.#string(TEXT, argument));
    if (major === TAG) throw new Error("CBOR has another tag");
    if (major === ARRAY || major === MAP) {
      if (depth >= MAX_DEPTH) throw new Error("CBOR is nested too deep");
      return major === ARRAY ? this.#array(argument, depth + 1) : this.#map(argument, depth + 1);
    }
    if (info === 20 || info === 21) return info === 21;
    if (info === 22) return null;
    throw new Error("CBOR has a value that is not known here");
  }

  #array(length: number | null, depth: number): CborValue[] {
    const values: CborValue[] = [];
    while (this.#more(length, values.length)) values.push(this.value(depth));
    return values;
  }

  #map(length: number | null, depth: number): CborMap {
    const map = new Map<number | string, CborValue>();
    while (this.#more(length, map.size)) {
      const key = this.value(depth);
      if (typeof key !== "number" && typeof key !== "string") throw new Error("CBOR has another kind of key");
      if (map.has(key)) throw new Error("CBOR has a key twice");
      map.set(key, this.value(depth));
    }
    return map;
  }

  /** A string in one piece, or of definite pieces of its own kind (RFC 8949 §3.2.3). */
  #string(major: number, length: number | null): Uint8Array {
    if (length !== null) return this.#take(length);
    const pieces: number[] = [];
    for (let count = 0; this.#more(null, count); count++) {
      const piece = this.#head();
      if (piece.major !== major) throw new Error("CBOR has another piece in a string");
      for (const byte of this.#take(definite(piece.argument))) pieces.push(byte);
    }
    return new Uint8Array(pieces);
  }

  /** Whether another item follows in what has `length` items, or ends at a break. */
  #more(length: number | null, read: number): boolean {
    if (length !== null) return read < length;
    if (this.#bytes[this.#at] !== BREAK) return true;
    this.#at++;
    return false;
  }

  #head(): Head {
    if (++this.#items > MAX_ITEMS) throw new Error("CBOR has too many items");
    const [initial = 0] = this.#take(1);
    const [major, info] = [initial >> 5, initial & 0x1f];
    if (info < 24) return { major, info, argument: info };
    if (info === INDEFINITE) {
      if (major < BYTES || major > MAP) throw new Error("CBOR has a break too many");
      return { major, info, argument: null };
    }
    if (info > 27) throw new Error("CBOR is not well-formed");
    let argument = 0;
    for (const byte of this.#take(2 ** (info - 24))) argument = argument * 256 + byte;
    if (!Number.isSafeInteger(argument)) throw new Error("CBOR has a number that is too large");
    // No simple value or float in more than one byte is known here.
    return { major, info, argument };
  }

  #take(length: number): Uint8Array {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new Error("CBOR is cut off");
    this.#at = start + length;
    return this.#bytes.subarray(start, this.#at);
  }
}

function definite(argument: number | null): number {
  if (argument === null) throw new Error("CBOR is not well-formed");
  return argument;
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Error("CBOR has text that is not UTF-8", { cause });
  }
}
