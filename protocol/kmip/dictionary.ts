/** Looks up tags and enumeration values by name and number, each with the versions in which it exists. */

import { ENUMERATIONS, FORMER_NAMES } from "./tables/enumerations.ts";
import { propertyName } from "./tables/names.ts";
import { TAGS } from "./tables/tags.ts";
import { NEWEST } from "./version.ts";

export type TagName = keyof typeof TAGS;
export type EnumerationTable = keyof typeof ENUMERATIONS;

/** A value of an enumeration: its name, or its number where it is an extension or unknown. */
export type EnumerationName<T extends EnumerationTable> = keyof (typeof ENUMERATIONS)[T] | number;

/** A tag or value with the range of versions (indexes) in which it exists. */
export type Entry = {
  readonly name: string;
  readonly value: number;
  readonly first: number;
  readonly last: number;
};

type Row = readonly [value: number, first?: number, last?: number];

function entry(name: string, [value, first = 0, last = NEWEST]: Row): Entry {
  return { name, value, first, last };
}

class Table {
  readonly byName = new Map<string, Entry>();
  readonly byValue = new Map<number, Entry>();

  constructor(rows: Record<string, Row>, former: Record<string, number> = {}) {
    for (const [name, row] of Object.entries(rows)) {
      const item = entry(name, row);
      this.byName.set(name, item);
      this.byValue.set(item.value, item);
    }
    for (const [name, value] of Object.entries(former)) {
      const current = this.byValue.get(value);
      if (current === undefined) throw new TypeError(`${name} was never the name of a value`);
      this.byName.set(name, current);
    }
  }
}

const tags = new Table(TAGS);
const tagsByProperty = new Map([...tags.byName.values()].map((tag) => [propertyName(tag.name), tag]));
const enumerations = new Map<string, Table>(
  Object.entries(ENUMERATIONS).map(([name, rows]) => [name, new Table(rows, FORMER_NAMES[name])]),
);

type Values = Pick<Table, "byName" | "byValue">;

/** Enumerations that borrow the values of another. */
const SAME_VALUES: Record<string, EnumerationTable> = {
  MaskGeneratorHashingAlgorithm: "HashingAlgorithm",
  ExtensionType: "ItemType",
};

/** The tag of that name (`UniqueIdentifier`). */
export const tagByName = (name: string): Entry | undefined => tags.byName.get(name);
/** The tag of that number. */
export const tagByNumber = (number: number): Entry | undefined => tags.byValue.get(number);
/** The tag that typed messages hold under that property (`uniqueIdentifier`). */
export const tagByProperty = (property: string): Entry | undefined => tagsByProperty.get(property);

/** The same; throws `TypeError` where there is none. */
export function tagOf(property: string): Entry {
  const tag = tagByProperty(property);
  if (tag === undefined) throw new TypeError(`no tag for ${property}`);
  return tag;
}

/** Number of a tag of the tables. */
export const tagNumber = (name: TagName): number => TAGS[name][0];

/** The values of an enumeration or mask, by the name of the tag that carries it. */
export function enumerationOf(tagName: EnumerationTable): Values;
export function enumerationOf(tagName: string): Values | undefined;
export function enumerationOf(tagName: string): Values | undefined {
  if (tagName === "AttributeReference" || tagName === "ExtensionTag" || tagName === "Tag") return tags;
  return enumerations.get(SAME_VALUES[tagName] ?? tagName);
}

/** Tags whose Integer is a bit mask. */
export const MASKS: ReadonlySet<string> = new Set([
  "CryptographicUsageMask",
  "ProtectionStorageMask",
  "StorageStatusMask",
]);
