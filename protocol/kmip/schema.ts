/**
 * The language in which structures are written down as data: an ordered list of fields, each with its type, how often it
 * occurs, and the versions that have it. TypeScript types are inferred from it.
 */

import { seconds } from "../clock.ts";
import {
  type Entry,
  type EnumerationName,
  type EnumerationTable,
  enumerationOf,
  tagOf,
} from "./dictionary.ts";
import { KmipDecodeError, KmipEncodeError } from "./errors.ts";
import type { Bytes, Item, ItemType, ItemValues } from "./item.ts";
import { NEWEST } from "./version.ts";

/** How a message is read or written. */
export type Context = {
  /** Index of the protocol version. */
  readonly version: number;
  /** Requests are strict: what the version lacks is an error. Responses leave it out, and number repeated attributes. */
  readonly direction: "request" | "response";
  /** Whether an attribute that is a date may occur twice, to say a range. */
  readonly ranges?: boolean;
  /** Whether a response leaves nothing out, either: within what would mislead if a part of it were missing. */
  readonly whole?: boolean;
};

/** Says that the version has no such value; the field that holds it decides what follows. */
export class AbsentInVersion extends KmipEncodeError {
  /** Set where no field around may be left out instead. */
  essential = false;
}

/** Turns a value into the item of a tag, and back. */
export interface Codec<T> {
  encode(tag: number, value: T, context: Context): Item;
  decode(item: Item, context: Context): T;
}

/** A field of a structure, under a property. `Presence` says whether the property may be missing. */
export interface Field<T, Presence extends "required" | "optional"> {
  readonly presence: Presence;
  /** Never set: carries the type. */
  readonly type?: T;
  bind(property: string): BoundField;
}

/** A field that knows its property. */
export interface BoundField {
  readonly property: string;
  /** The tags that it takes from a structure. */
  readonly tags: readonly number[];
  write(value: unknown, items: Item[], context: Context): void;
  read(target: Record<string, unknown>, item: Item, context: Context): void;
  /** Called when all items are read, to supply an empty list or to complain. */
  finish(target: Record<string, unknown>): void;
}

export type Shape = Record<string, Field<unknown, "required" | "optional">>;

type TypeOf<F> = F extends Field<infer T, "required" | "optional"> ? T : never;
type RequiredKeys<S extends Shape> = {
  [K in keyof S]: S[K]["presence"] extends "required" ? K : never;
}[keyof S];

/** The TypeScript type of a structure. Items that the schema does not know are kept in `extensions`. */
export type Fields<S extends Shape> = { [K in RequiredKeys<S>]: TypeOf<S[K]> } & {
  [K in Exclude<keyof S, RequiredKeys<S>>]?: TypeOf<S[K]> | undefined;
} & { extensions?: Item[] | undefined } extends infer O
  ? { [K in keyof O]: O[K] }
  : never;

/** The TypeScript type that a codec reads and writes. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

export function wrongType(item: Item, expected: string): KmipDecodeError {
  return new KmipDecodeError(
    `tag ${item.tag.toString(16).padStart(6, "0")} is ${item.type}, expected ${expected}`,
  );
}

function plain<T extends ItemType>(type: T): Codec<ItemValues[T]> {
  return {
    encode: (tag, value) => ({ tag, type, value }) as Item,
    decode: (item) => {
      if (item.type !== type) throw wrongType(item, type);
      return item.value as ItemValues[T];
    },
  };
}

export const integer = plain("Integer");
export const longInteger = plain("LongInteger");
export const bigInteger = plain("BigInteger");
export const boolean = plain("Boolean");
export const textString = plain("TextString");
export const byteString: Codec<Bytes> = plain("ByteString");
export const interval = plain("Interval");
export const dateTimeExtended = plain("DateTimeExtended");
/** A structure of items that has no schema. */
export const items: Codec<Item[]> = plain("Structure");

/** Greatest number of seconds either way that a `Date` can hold (ECMA-262 §21.4.1.1). */
const DATE_LIMIT = 8_640_000_000_000n;

export const dateTime: Codec<Date> = {
  encode: (tag, value) => {
    const time = seconds(value);
    if (Number.isNaN(time)) throw new KmipEncodeError("invalid Date");
    return { tag, type: "DateTime", value: BigInt(time) };
  },
  decode: (item) => {
    if (item.type !== "DateTime") throw wrongType(item, "DateTime");
    if (item.value > DATE_LIMIT || item.value < -DATE_LIMIT)
      throw new KmipDecodeError("DateTime out of range");
    return new Date(Number(item.value) * 1000);
  },
};

/** An enumeration as the name of its value; a value that the tables lack stays a number. */
export function enumeration<T extends EnumerationTable>(table: T): Codec<EnumerationName<T>> {
  const values = enumerationOf(table);
  return {
    encode: (tag, name, { version }) => {
      if (typeof name === "number") return { tag, type: "Enumeration", value: name };
      const entry = values.byName.get(name as string);
      if (entry === undefined) throw new KmipEncodeError(`${table} has no value ${String(name)}`);
      if (version < entry.first || version > entry.last)
        throw new AbsentInVersion(`${table} ${entry.name} is not in this protocol version`);
      return { tag, type: "Enumeration", value: entry.value };
    },
    decode: (item) => {
      if (item.type !== "Enumeration") throw wrongType(item, "Enumeration");
      return (values.byValue.get(item.value)?.name ?? item.value) as EnumerationName<T>;
    },
  };
}

/** An enumeration whose values are vendors' own. */
export const extensionEnumeration: Codec<number> = plain("Enumeration");

/** A bit mask as the names of its bits; a bit that the tables lack stays a number. */
export function mask<T extends EnumerationTable>(table: T): Codec<EnumerationName<T>[]> {
  const values = enumerationOf(table);
  return {
    encode: (tag, names, { version, direction, whole }) => {
      let bits = 0;
      for (const name of names) {
        const entry = typeof name === "number" ? undefined : values.byName.get(name as string);
        if (typeof name === "number") bits |= name;
        else if (entry === undefined) throw new KmipEncodeError(`${table} has no bit ${String(name)}`);
        else if (version >= entry.first && version <= entry.last) bits |= entry.value;
        else if (direction === "request" || whole)
          throw new AbsentInVersion(`${table} ${entry.name} is not in this protocol version`);
      }
      return { tag, type: "Integer", value: bits };
    },
    decode: (item) => {
      if (item.type !== "Integer") throw wrongType(item, "Integer");
      const names: EnumerationName<T>[] = [];
      for (let bits = item.value; bits !== 0; bits &= bits - 1) {
        const bit = (bits & -bits) >>> 0;
        names.push((values.byValue.get(bit)?.name ?? bit) as EnumerationName<T>);
      }
      return names;
    },
  };
}

/** Reads with the first codec whose item type fits; `select` picks the one that writes a value. */
export function either<A, B>(
  a: Codec<A>,
  types: readonly ItemType[],
  b: Codec<B>,
  isA: (value: A | B) => value is A,
): Codec<A | B> {
  return {
    encode: (tag, value, context) =>
      isA(value) ? a.encode(tag, value, context) : b.encode(tag, value as B, context),
    decode: (item, context) =>
      types.includes(item.type) ? a.decode(item, context) : b.decode(item, context),
  };
}

type Range = {
  first?: number;
  last?: number;
  tag?: Entry;
  /** Without it, or a part of it, the answer is of no use or says something else: it is refused where the version lacks it. */
  essential?: boolean;
  /** Left out where the version lacks it, even within what is essential: its clients know. */
  spared?: boolean;
};

function range(property: string, { first, last, tag = tagOf(property) }: Range): Entry {
  return { ...tag, first: Math.max(first ?? 0, tag.first), last: Math.min(last ?? NEWEST, tag.last) };
}

function field<T, P extends "required" | "optional">(
  codec: Codec<T>,
  presence: P,
  repeated: boolean,
  options: Range,
): Field<T, P> {
  return {
    presence,
    bind(property) {
      const tag = range(property, options);
      const writeOne = (value: T, target: Item[], outer: Context) => {
        const context = options.essential ? { ...outer, whole: true } : outer;
        try {
          if (context.version < tag.first || context.version > tag.last)
            throw new AbsentInVersion(`${tag.name} is not in this protocol version`);
          target.push(codec.encode(tag.value, value, context));
        } catch (error) {
          if (error instanceof AbsentInVersion) {
            if (options.spared && context.direction === "response") return;
            error.essential ||= options.essential ?? false;
            const optional = presence === "optional" || repeated;
            if (context.direction === "response" && optional && !context.whole && !error.essential) return;
          }
          throw error;
        }
      };
      return {
        property,
        tags: [tag.value],
        write(value, target, context) {
          if (value === undefined) {
            if (presence === "required") throw new KmipEncodeError(`${property} is missing`);
          } else if (repeated) for (const one of value as T[]) writeOne(one, target, context);
          else writeOne(value as T, target, context);
        },
        read(target, item, context) {
          const value = codec.decode(item, context);
          if (!repeated) {
            if (target[property] !== undefined) throw new KmipDecodeError(`${tag.name} occurs twice`);
            target[property] = value;
          } else if (target[property] === undefined) target[property] = [value];
          else (target[property] as T[]).push(value);
        },
        finish(target) {
          if (presence === "optional" || target[property] !== undefined) return;
          if (!repeated) throw new KmipDecodeError(`${tag.name} is missing`, { code: "InvalidMessage" });
          target[property] = [];
        },
      };
    },
  };
}

/** A field that must occur once. */
export const required = <T>(codec: Codec<T>, options: Range = {}): Field<T, "required"> =>
  field(codec, "required", false, options);
/** A field that may occur once. */
export const optional = <T>(codec: Codec<T>, options: Range = {}): Field<T, "optional"> =>
  field(codec, "optional", false, options);
/** A field that occurs any number of times: always a list, perhaps empty. */
export const repeated = <T>(codec: Codec<T>, options: Range = {}): Field<T[], "required"> =>
  field(codec, "required", true, options) as Field<T[], "required">;
/** A field that may occur, and then any number of times. */
export const optionalRepeated = <T>(codec: Codec<T>, options: Range = {}): Field<T[], "optional"> =>
  field(codec, "optional", true, options) as Field<T[], "optional">;

/** A structure. Fields are written in the order of the shape and read in any. */
export function structure<S extends Shape>(shape: S): Codec<Fields<S>> & { readonly shape: S } {
  const fields = Object.entries(shape).map(([property, field]) => field.bind(property));
  const byTag = new Map(fields.flatMap((bound) => bound.tags.map((tag) => [tag, bound] as const)));
  return {
    shape,
    encode(tag, value, context) {
      const children: Item[] = [];
      const record = value as Record<string, unknown>;
      for (const bound of fields) bound.write(record[bound.property], children, context);
      if (record.extensions !== undefined) children.push(...(record.extensions as Item[]));
      return { tag, type: "Structure", value: children };
    },
    decode(item, context) {
      if (item.type !== "Structure") throw wrongType(item, "Structure");
      const record: Record<string, unknown> = {};
      for (const child of item.value) {
        const bound = byTag.get(child.tag);
        if (bound !== undefined) bound.read(record, child, context);
        else if (record.extensions === undefined) record.extensions = [child];
        else (record.extensions as Item[]).push(child);
      }
      for (const bound of fields) bound.finish(record);
      return record as Fields<S>;
    },
  };
}
