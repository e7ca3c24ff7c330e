/**
 * Distinguished Names in text (RFC 4514) and as DER (RFC 5280 §4.1.2.4). DER is what a name is; text is for people and
 * for requests, escaped so that no value can add an attribute.
 */

import { concat, decodeHex, encodeHex, utf8 } from "../bytes.ts";
import {
  DerReader,
  encode,
  OBJECT_IDENTIFIER,
  objectIdentifier,
  PRINTABLE_STRING,
  SEQUENCE,
  SET,
  UTF8_STRING,
} from "./der.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const NUMERIC_STRING = 0x12;
const TELETEX_STRING = 0x14;
const IA5_STRING = 0x16;
const UNIVERSAL_STRING = 0x1c;
const BMP_STRING = 0x1e;

/** Attribute types that have a short name: RFC 4514 §3 and what else is in use; the first of two is written. */
const TYPES: readonly (readonly [string, string])[] = [
  ["CN", "2.5.4.3"],
  ["SN", "2.5.4.4"],
  ["SERIALNUMBER", "2.5.4.5"],
  ["C", "2.5.4.6"],
  ["L", "2.5.4.7"],
  ["ST", "2.5.4.8"],
  ["S", "2.5.4.8"],
  ["STREET", "2.5.4.9"],
  ["O", "2.5.4.10"],
  ["OU", "2.5.4.11"],
  ["T", "2.5.4.12"],
  ["TITLE", "2.5.4.12"],
  ["G", "2.5.4.42"],
  ["GIVENNAME", "2.5.4.42"],
  ["I", "2.5.4.43"],
  ["DNQ", "2.5.4.46"],
  ["DNQUALIFIER", "2.5.4.46"],
  ["UID", "0.9.2342.19200300.100.1.1"],
  ["DC", "0.9.2342.19200300.100.1.25"],
  ["E", "1.2.840.113549.1.9.1"],
  ["EMAILADDRESS", "1.2.840.113549.1.9.1"],
];
const BY_NAME = new Map(TYPES);
const BY_TYPE = new Map([...TYPES].reverse().map(([name, type]) => [type, name]));

/** RFC 5280, appendix A: types whose syntax is one string type. */
const SYNTAX: Readonly<Record<string, number>> = {
  "2.5.4.5": PRINTABLE_STRING,
  "2.5.4.6": PRINTABLE_STRING,
  "2.5.4.46": PRINTABLE_STRING,
  "0.9.2342.19200300.100.1.25": IA5_STRING,
  "1.2.840.113549.1.9.1": IA5_STRING,
};

/**
 * Characters of a text and bytes of a Name, about, and bytes of a type. RFC 5280's upper bounds add up to less; what is
 * longer would be read in time that grows with the square of its length.
 */
const MAX_NAME_LENGTH = 16_384;
const MAX_TYPE_LENGTH = 128;

/** One attribute of a name: its type (dotted), and the text of its value where that is a string. */
export interface NameAttribute {
  type: string;
  text: string | undefined;
  /** DER of the value. */
  value: Uint8Array;
}

/** The parts of a Name in the order of its bytes, each of one attribute or, rarely, several. Throws `TypeError`. */
export function readName(der: Uint8Array): NameAttribute[][] {
  checkLength(der);
  const outer = new DerReader(der);
  const parts = outer.enter(SEQUENCE);
  outer.end();
  const name: NameAttribute[][] = [];
  while (!parts.done) {
    const set = parts.enter(SET);
    const attributes: NameAttribute[] = [];
    while (!set.done) {
      const attribute = set.enter(SEQUENCE);
      const type = dotted(attribute.read(OBJECT_IDENTIFIER).contents);
      const { tag, contents, bytes } = attribute.read();
      attribute.end();
      attributes.push({ type, text: stringOf(tag, contents), value: bytes });
    }
    if (attributes.length === 0) throw new TypeError("an empty part of a name");
    name.push(attributes);
  }
  return name;
}

/** RFC 4514 §2: the last part first. Values that are no string, and types without a name, as `#` and hexadecimal. */
export function textOfName(der: Uint8Array): string {
  return readName(der)
    .reverse()
    .map((part) =>
      part
        .map(({ type, text, value }) => {
          const name = BY_TYPE.get(type);
          return `${name ?? type}=${text === undefined || !name ? `#${encodeHex(value)}` : escaped(text)}`;
        })
        .join("+"),
    )
    .join(",");
}

/** Reads RFC 4514 §3, and spaces around separators as in RFC 2253. Throws `TypeError`. */
export function nameOfText(text: string): Bytes {
  // Escaped, a byte has three characters.
  if (text.length > 4 * MAX_NAME_LENGTH) throw new TypeError("a name is too long");
  if (/^ *$/.test(text)) return encode(SEQUENCE);
  const parts = split(text, ",").reverse();
  return encode(SEQUENCE, ...parts.map((part) => setOf(split(part, "+").map(attributeOfText))));
}

/** A name of parts of one attribute each, from values: nothing in them is read as anything else. */
export function nameOfValues(values: readonly (readonly [type: string, text: string])[]): Bytes {
  if (values.length > MAX_NAME_LENGTH) throw new TypeError("a name is too long");
  checkLength(values.map(([, text]) => text).join(""));
  return encode(
    SEQUENCE,
    ...values.map(([type, text]) => setOf([attribute(BY_NAME.get(type) ?? type, text)])),
  );
}

/** The dotted type of an attribute: by a name of RFC 4514 §3 in any case, or as it is. Throws `TypeError`. */
export function attributeType(name: string): string {
  const type = BY_NAME.get(name.toUpperCase()) ?? name.replace(/^OID\./i, "");
  if (
    !/^(?:[01]\.(?:\d|[1-3]\d)|2\.(?:0|[1-9]\d{0,15}))(?:\.(?:0|[1-9]\d{0,38}))*$/.test(type) ||
    type.length > 200
  )
    throw new TypeError("no attribute type of a name");
  return type;
}

function checkLength({ length }: { length: number }): void {
  if (length > MAX_NAME_LENGTH) throw new TypeError("a name is too long");
}

function attributeOfText(text: string): Bytes {
  const equals = text.indexOf("=");
  const type = attributeType(text.slice(0, Math.max(equals, 0)).trim());
  const value = trimmed(text.slice(equals + 1));
  if (!value.startsWith("#")) return attribute(type, unescaped(value));
  const der = decodeHex(value.slice(1));
  const reader = new DerReader(der);
  reader.read();
  reader.end();
  return encode(SEQUENCE, objectIdentifier(type), der);
}

function attribute(type: string, text: string): Bytes {
  const syntax = SYNTAX[type];
  const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text);
  const ascii = /^\p{ASCII}*$/u.test(text);
  // What the syntax cannot hold is kept as UTF-8, as other implementations do.
  const fits = syntax === PRINTABLE_STRING ? printable : syntax === IA5_STRING && ascii;
  return encode(
    SEQUENCE,
    objectIdentifier(type),
    encode(fits && syntax !== undefined ? syntax : UTF8_STRING, utf8(text)),
  );
}

/** A SET OF is sorted by its bytes (X.690 §11.6). */
function setOf(members: Bytes[]): Bytes {
  return encode(SET, ...members.sort((a, b) => (encodeHex(a) < encodeHex(b) ? -1 : 1)));
}

/** Cuts at a separator that is neither escaped nor within quotes (RFC 2253 has those). */
function split(text: string, separator: string): string[] {
  const parts = [""];
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === separator && !quoted) {
      parts.push("");
      continue;
    }
    if (character === '"') quoted = !quoted;
    parts[parts.length - 1] += character === "\\" ? character + (text[++at] ?? "") : character;
  }
  if (quoted) throw new TypeError("a quote is not closed");
  return parts;
}

/** Without spaces around it that are not escaped. */
function trimmed(text: string): string {
  const from = text.replace(/^ +/, "");
  // Not by one pattern: that would start over at each space.
  const kept = from.slice(0, from.length - trailing(from, " "));
  const escapes = kept.length < from.length && trailing(kept, "\\") % 2 === 1;
  return escapes ? `${kept} ` : kept;
}

/** How many of that character are at the end. */
function trailing(text: string, character: string): number {
  let count = 0;
  while (count < text.length && text[text.length - 1 - count] === character) count++;
  return count;
}

function unescaped(text: string): string {
  const [, quoted] = /^"(.*)"$/s.exec(text) ?? [];
  const value = quoted ?? text;
  const bytes: Uint8Array[] = [];
  for (let at = 0; at < value.length; ) {
    const [, pair] = /^\\([0-9a-fA-F]{2})/.exec(value.slice(at, at + 3)) ?? [];
    const [, character] = /^\\([\\"+,;<>#= ])/.exec(value.slice(at, at + 2)) ?? [];
    if (pair !== undefined) bytes.push(decodeHex(pair));
    else if (character !== undefined) bytes.push(utf8(character));
    else {
      const plain = String.fromCodePoint(value.codePointAt(at) ?? 0);
      if (quoted !== undefined ? /["\\]/.test(plain) : /["\\+,;<>\0]/.test(plain))
        throw new TypeError("a character of a name is not escaped");
      if (/\p{Cs}/u.test(plain)) throw new TypeError("a lone surrogate");
      bytes.push(utf8(plain));
      at += plain.length;
      continue;
    }
    at += pair === undefined ? 2 : 3;
  }
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(concat(...bytes));
}

/** RFC 4514 §2.4; other control characters and format characters too, so that a line shows what it says. */
function escaped(text: string): string {
  return text
    .replace(/[\\"+,;<>=]/g, "\\$&")
    .replace(/^[ #]| $/g, "\\$&")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
      encodeHex(utf8(character)).replace(/../g, "\\$&"),
    );
}

function stringOf(tag: number, contents: Uint8Array): string | undefined {
  try {
    switch (tag) {
      case UTF8_STRING:
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(contents);
      case PRINTABLE_STRING:
      case IA5_STRING:
      case NUMERIC_STRING:
        return contents.every((byte) => byte < 0x80) ? latin1(contents) : undefined;
      case TELETEX_STRING:
        return latin1(contents);
      case BMP_STRING:
        return new TextDecoder("utf-16be", { fatal: true, ignoreBOM: true }).decode(contents);
      case UNIVERSAL_STRING:
        return utf32(contents);
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function utf32(bytes: Uint8Array): string | undefined {
  if (bytes.length % 4 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) text += String.fromCodePoint(view.getUint32(at));
  return /\p{Cs}/u.test(text) ? undefined : text;
}

function dotted(contents: Uint8Array): string {
  if (contents.length > MAX_TYPE_LENGTH) throw new TypeError("an attribute type is too long");
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const [at, byte] of contents.entries()) {
    if (arc === 0n && byte === 0x80) throw new TypeError("not DER");
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte >= 0x80) {
      if (at === contents.length - 1) throw new TypeError("DER is cut off");
      continue;
    }
    arcs.push(arc);
    arc = 0n;
  }
  const [first, ...others] = arcs;
  if (first === undefined) throw new TypeError("an empty object identifier");
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - 40n * root, ...others].join(".");
}
