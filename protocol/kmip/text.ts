/**
 * Values of items as JSON and XML write them (KMIP Profiles 2.1 §5.5 JSON Profiles, §5.4 XML Profiles): names, hexadecimal,
 * ISO 8601.
 */

import { decodeHex, encodeHex } from "../bytes.ts";
import { instant } from "../clock.ts";
import { type Entry, enumerationOf, MASKS, tagByName, tagByNumber, tagNumber } from "./dictionary.ts";
import { KmipDecodeError, KmipEncodeError } from "./errors.ts";
import { ITEM_TYPES, type Item, type ItemType, wellFormed } from "./item.ts";
import { normaliseName } from "./tables/names.ts";

const ATTRIBUTE_NAME = tagNumber("AttributeName");
const ATTRIBUTE_VALUE = tagNumber("AttributeValue");

/** Greatest magnitude, exclusive, that is written as a decimal number in JSON. */
const SAFE = 1n << 52n;

/** A tag's name, or `0x` and six hexadecimal digits. */
export function tagText(tag: number): string {
  return tagByNumber(tag)?.name ?? `0x${tag.toString(16).toUpperCase().padStart(6, "0")}`;
}

/** The tag that a name or hexadecimal number means. */
export function parseTag(text: string): number {
  const known = tagByName(text);
  if (known !== undefined) return known.value;
  if (!/^0x[0-9A-Fa-f]{6}$/.test(text)) throw new KmipDecodeError("unknown tag name", { code: "UnknownTag" });
  return Number.parseInt(text, 16);
}

/** The item type of that name. */
export function parseType(text: string): ItemType {
  const known = ITEM_TYPES.find((type) => type === text);
  if (known === undefined) throw new KmipDecodeError("unknown item type");
  return known;
}

/**
 * Keeps track, within one structure, of what Attribute Value stands for: in 1.x its enumeration or mask is that of the
 * attribute that the Attribute Name before it names.
 */
export class Siblings {
  #attribute: string | undefined;

  /** Name of the tag whose values the item's value is one of. */
  meaning(tag: number): string | undefined {
    return tag === ATTRIBUTE_VALUE ? this.#attribute : tagByNumber(tag)?.name;
  }

  note(item: Item): void {
    if (item.tag === ATTRIBUTE_NAME && item.type === "TextString")
      this.#attribute = tagByName(normaliseName(item.value))?.name;
  }
}

const hex32 = (value: number) => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;

/** Two's complement in as few groups of 8 bytes as hold it, in hexadecimal digits. */
function twosComplement(value: bigint): string {
  const bits = (value < 0n ? -value - 1n : value).toString(2).length + 1;
  const length = Math.ceil(bits / 64) * 64;
  return BigInt.asUintN(length, value)
    .toString(16)
    .padStart(length / 4, "0");
}

/** Names of the bits of a mask; bits without a name in hexadecimal. */
function maskText(bits: number, meaning: string, separator: string): string {
  const names: string[] = [];
  for (let rest = bits; rest !== 0; rest &= rest - 1) {
    const bit = (rest & -rest) >>> 0;
    names.push(enumerationOf(meaning)?.byValue.get(bit)?.name ?? hex32(bit));
  }
  return names.join(separator);
}

const FIRST_YEAR = -62135596800n; // 0001-01-01T00:00:00Z
const AFTER_LAST_YEAR = 253402300800n; // +010000-01-01T00:00:00Z

function dateText(seconds: bigint, fraction = ""): string {
  if (seconds < FIRST_YEAR || seconds >= AFTER_LAST_YEAR)
    throw new RangeError("year is outside 0001 to 9999");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}${fraction}+00:00`;
}

function dateOrHex(item: Item & { value: bigint }): string {
  const million = item.type === "DateTimeExtended" ? 1_000_000n : 1n;
  const micros = ((item.value % million) + million) % million;
  const seconds = (item.value - micros) / million;
  if (seconds < FIRST_YEAR || seconds >= AFTER_LAST_YEAR)
    return `0x${BigInt.asUintN(64, item.value).toString(16).padStart(16, "0")}`;
  return dateText(seconds, million === 1n ? "" : `.${micros.toString().padStart(6, "0")}`);
}

/** What JSON and XML write for a value that is no structure; they differ in masks and long numbers. */
export function valueText(
  item: Item,
  meaning: string | undefined,
  format: "json" | "xml",
): string | number | boolean {
  switch (item.type) {
    case "Integer":
      if (meaning !== undefined && MASKS.has(meaning) && item.value !== 0)
        return maskText(item.value, meaning, format === "json" ? "|" : " ");
      return item.value;
    case "Interval":
      return item.value;
    case "LongInteger":
      if (format === "xml") return item.value.toString();
      return item.value > -SAFE && item.value < SAFE
        ? Number(item.value)
        : `0x${BigInt.asUintN(64, item.value).toString(16).padStart(16, "0")}`;
    case "BigInteger":
      return format === "xml" ? twosComplement(item.value) : `0x${twosComplement(item.value)}`;
    case "Enumeration":
      return (
        (meaning === undefined ? undefined : enumerationOf(meaning)?.byValue.get(item.value)?.name) ??
        hex32(item.value)
      );
    case "Boolean":
      return item.value;
    case "TextString":
      return wellFormed(item.value);
    case "ByteString":
      return encodeHex(item.value);
    case "DateTime":
    case "DateTimeExtended":
      return dateOrHex(item);
    case "Structure":
      throw new KmipEncodeError("a structure has no text");
  }
}

function invalid(type: ItemType): KmipDecodeError {
  return new KmipDecodeError(`value is no ${type}`);
}

/** Reads 32 bits from a decimal or hexadecimal number, signed or not. */
function parse32(text: string, type: ItemType): number {
  // TTLV has no negative zero.
  const value = Number(text) + 0;
  const hex = /^0x[0-9A-Fa-f]{1,8}$/.test(text);
  if (!hex && !/^-?[0-9]{1,10}$/.test(text)) throw invalid(type);
  if (type === "Integer") {
    const signed = hex ? value | 0 : value;
    if (signed !== (signed | 0)) throw invalid(type);
    return signed;
  }
  if (value < 0 || value > 0xffffffff) throw invalid(type);
  return value;
}

function parse64(text: string, type: ItemType): bigint {
  if (/^0x[0-9A-Fa-f]{1,16}$/.test(text)) return BigInt.asIntN(64, BigInt(text));
  if (!/^-?[0-9]{1,19}$/.test(text)) throw invalid(type);
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) throw invalid(type);
  return value;
}

/** Two's complement of whole bytes with or without `0x`, or a short decimal number, which only JSON has. */
function parseBig(text: string, decimal: boolean): bigint {
  if (decimal && /^-?[0-9]{1,16}$/.test(text)) return BigInt(text);
  const digits = text.replace(/^0x/, "");
  if (!/^([0-9A-Fa-f]{2})+$/.test(digits)) throw invalid("BigInteger");
  return BigInt.asIntN(digits.length * 4, BigInt(`0x${digits}`));
}

const ISO = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$/;

function parseDate(text: string, type: "DateTime" | "DateTimeExtended"): bigint {
  if (/^(0x|-?[0-9]+$)/.test(text)) return parse64(text, type);
  const match = ISO.exec(text);
  if (match === null) throw invalid(type);
  const [, day = "", time = "", fraction = "", zone = "Z"] = match;
  let milliseconds: number;
  try {
    milliseconds = instant(day, time, zone);
  } catch {
    throw invalid(type);
  }
  const seconds = BigInt(milliseconds / 1000);
  return type === "DateTime" ? seconds : seconds * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, "0"));
}

function named(name: string, meaning: string | undefined): Entry | undefined {
  return meaning === undefined ? undefined : enumerationOf(meaning)?.byName.get(name);
}

function parseInteger(text: string, meaning: string | undefined): number {
  if (/^(-?[0-9]+|0x[0-9A-Fa-f]+)$/.test(text)) return parse32(text, "Integer");
  if (meaning === undefined || !MASKS.has(meaning)) throw invalid("Integer");
  let bits = 0;
  for (const part of text.split(/[\s|]+/).filter((name) => name !== "")) {
    bits |= named(part, meaning)?.value ?? parse32(part, "Integer");
  }
  return bits;
}

function parseEnumeration(text: string, meaning: string | undefined): number {
  if (/^(0x|[0-9]+$)/.test(text)) return parse32(text, "Enumeration");
  const value = named(text, meaning)?.value;
  if (value === undefined)
    throw new KmipDecodeError(`unknown value of ${meaning ?? "an enumeration"}`, {
      code: "UnknownEnumeration",
    });
  return value;
}

/** Reads a value that is no structure. `decimal` allows a Big Integer as a decimal number. */
export function parseValue(
  tag: number,
  type: Exclude<ItemType, "Structure">,
  text: string,
  meaning: string | undefined,
  decimal = false,
): Item {
  switch (type) {
    case "Integer":
      return { tag, type, value: parseInteger(text, meaning) };
    case "Enumeration":
      return { tag, type, value: parseEnumeration(text, meaning) };
    case "Interval":
      return { tag, type, value: parse32(text, type) };
    case "LongInteger":
      return { tag, type, value: parse64(text, type) };
    case "BigInteger":
      return { tag, type, value: parseBig(text, decimal) };
    case "Boolean":
      if (/^(true|1|0x0*1)$/.test(text)) return { tag, type, value: true };
      if (/^(false|0|0x0+)$/.test(text)) return { tag, type, value: false };
      throw invalid(type);
    case "TextString":
      // An escape can name half of a pair.
      if (!text.isWellFormed()) throw invalid(type);
      return { tag, type, value: text };
    case "ByteString":
      try {
        return { tag, type, value: decodeHex(text) };
      } catch {
        throw invalid(type);
      }
    case "DateTime":
    case "DateTimeExtended":
      return { tag, type, value: parseDate(text, type) };
  }
}
