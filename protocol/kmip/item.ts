/** The item tree: what the three encodings carry, with nothing said about its meaning. */

import { KmipEncodeError } from "./errors.ts";

/** A byte string. What the codec itself makes stands on an `ArrayBuffer`. */
export type Bytes = Uint8Array;

/** Item Type (KMIP 2.1 §11.23), by number. */
export const ITEM_TYPES = [
  undefined,
  "Structure",
  "Integer",
  "LongInteger",
  "BigInteger",
  "Enumeration",
  "Boolean",
  "TextString",
  "ByteString",
  "DateTime",
  "Interval",
  "DateTimeExtended",
] as const;

export type ItemType = Exclude<(typeof ITEM_TYPES)[number], undefined>;

/** What an item of each type holds. Date-Time counts seconds, the extended form microseconds, since 1970. */
export type ItemValues = {
  Structure: Item[];
  Integer: number;
  LongInteger: bigint;
  BigInteger: bigint;
  Enumeration: number;
  Boolean: boolean;
  TextString: string;
  ByteString: Bytes;
  DateTime: bigint;
  Interval: number;
  DateTimeExtended: bigint;
};

/** One item; `tag` is the 24-bit number, of the tables or an extension. */
export type Item = { [T in ItemType]: { tag: number; type: T; value: ItemValues[T] } }[ItemType];

/** Bounds of decoding. What is over them is refused before anything of that size is allocated. */
export type Limits = {
  /** Bytes (TTLV) or characters (JSON, XML) of a message; 1 MiB by default. */
  maximumLength: number;
  /** Nested structures; 32 by default. */
  maximumDepth: number;
  /** Items in all; 16,384 by default. */
  maximumItems: number;
};

export const LIMITS: Limits = { maximumLength: 1 << 20, maximumDepth: 32, maximumItems: 1 << 14 };

/** The text itself. Throws `KmipEncodeError` where it has a lone surrogate, for which UTF-8 has no bytes. */
export function wellFormed(text: string): string {
  if (!text.isWellFormed()) throw new KmipEncodeError("text is not well-formed");
  return text;
}
