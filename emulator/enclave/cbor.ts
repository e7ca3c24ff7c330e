/** CBOR (RFC 8949), as an emulated platform writes it: what verifiers read is in protocol/evidence. */
import { concat, utf8 } from "#protocol/bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;
export type CborInput = null | number | string | Uint8Array | CborInput[] | CborEntries;
/** A map's entries in their order; a key may come twice, since a fault may want that. */
export class CborEntries {
  readonly entries: [number | string, CborInput][];
  /** Of indefinite length (RFC 8949 §3.2.2), as some documents of AWS are. */
  readonly indefinite: boolean;

  constructor(entries: Iterable<[number | string, CborInput]>, indefinite = false) {
    this.entries = [...entries];
    this.indefinite = indefinite;
  }
}

const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG] = [0, 1, 2, 3, 4, 5, 6];
const NULL = 0xf6;
const BREAK = 0xff;
const INDEFINITE_MAP = 0xbf;

export function encodeCbor(value: CborInput): Bytes {
  if (value === null) return new Uint8Array([NULL]);
  if (typeof value === "number") return value < 0 ? head(NEGATIVE, -1 - value) : head(UNSIGNED, value);
  if (typeof value === "string") return concat(head(TEXT, utf8(value).length), utf8(value));
  if (value instanceof Uint8Array) return concat(head(BYTES, value.length), value);
  if (Array.isArray(value)) return concat(head(ARRAY, value.length), ...value.map(encodeCbor));
  const body = value.entries.flatMap((entry) => entry.map(encodeCbor));
  if (!value.indefinite) return concat(head(MAP, value.entries.length), ...body);
  return concat(new Uint8Array([INDEFINITE_MAP]), ...body, new Uint8Array([BREAK]));
}

/** A value in a tag. */
export function tagged(tag: number, encoded: Uint8Array): Bytes {
  return concat(head(TAG, tag), encoded);
}

/** Initial byte and argument in the shortest form; arguments up to 2^53 - 1. */
function head(major: number, argument: number): Bytes {
  if (argument < 24) return new Uint8Array([(major << 5) | argument]);
  const width = [1, 2, 4, 8].find((bytes) => argument < 256 ** bytes) ?? 8;
  const bytes = new Uint8Array(1 + width);
  bytes[0] = (major << 5) | (24 + Math.log2(width));
  for (let at = width, rest = argument; at > 0; at--, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  return bytes;
}
