/**
 * Attributes of managed objects, one shape for all versions, and their names. 1.x names an attribute by a text
 * (KMIP 1.4 §2.1.1 Attribute), 2.x by its tag (KMIP 2.1 §5.1 Attributes), and a vendor's by vendor and name.
 */

import { ATTRIBUTES, type AttributeRule } from "./attribute-table.ts";
import { type Entry, tagByNumber, tagOf } from "./dictionary.ts";
import { KmipEncodeError } from "./errors.ts";
import type { Bytes, Item } from "./item.ts";
import { BROUGHT_BY, GONE_IN_2_0 } from "./tables/attribute-versions.ts";
import { normaliseName, propertyName } from "./tables/names.ts";
import { NEWEST, type ProtocolVersion, V2_0, versionIndex } from "./version.ts";

type Table = typeof ATTRIBUTES;

/** Property of an attribute of the specification (`cryptographicAlgorithm`). */
export type AttributeProperty = keyof Table;

/** Type of an attribute's value; of one instance where there may be several. */
export type AttributeType<K extends AttributeProperty> =
  Table[K] extends AttributeRule<infer T, boolean> ? T : never;

/** Value of an attribute that has no schema; what no JavaScript type says exactly is an item. */
export type VendorValue = string | number | bigint | boolean | Date | Bytes | Item;

/** KMIP 2.1 §4.60 Vendor Attribute. In 1.x the custom attribute `x-<vendor>-<name>`, or `x-<name>` of vendor `x`. */
export type VendorAttribute = {
  vendorIdentification: string;
  attributeName: string;
  attributeValue: VendorValue;
  /** 1.x only: index of the instance, where a message names one. */
  attributeIndex?: number;
};

/** The attributes of an object, or a pattern of them, by property. Those that may repeat are lists. */
export type Attributes = {
  [K in AttributeProperty]?: Table[K]["many"] extends true ? AttributeType<K>[] : AttributeType<K>;
} & {
  vendorAttributes?: VendorAttribute[];
  /** 1.x only: names of templates (KMIP 1.4 §2.1.8 Template-Attribute Structures). */
  templateNames?: AttributeType<"name">[];
  /** 1.x only: indexes of the instances as a message names them, in the order of the list; undefined where it names none. */
  attributeIndex?: { [K in AttributeProperty]?: (number | undefined)[] };
  /** Locate only: where the range of dates ends that the attribute of that name begins (KMIP 2.1 §6.1.28). */
  rangeEnd?: { [K in AttributeProperty]?: Date };
  /** Items that are no attributes of the specification. */
  extensions?: Item[];
};

/** Names an attribute: by property, or by vendor and name. */
export type AttributeReference =
  | AttributeProperty
  | { vendorIdentification: string; attributeName: string }
  | { tag: number };

/** Names of 1.x that do not follow from the tag by putting spaces between words. */
const SPELLINGS: Partial<Record<AttributeProperty, string>> = {
  x_509CertificateIdentifier: "X.509 Certificate Identifier",
  x_509CertificateSubject: "X.509 Certificate Subject",
  x_509CertificateIssuer: "X.509 Certificate Issuer",
  pkcs_12FriendlyName: "PKCS#12 Friendly Name",
};

/** An attribute of the table with its tag, its name in 1.x, and the versions that have it. */
export type Rule = AttributeRule<unknown, boolean> & {
  property: AttributeProperty;
  tag: Entry;
  spelling: string;
  first: number;
  last: number;
};

const firsts = new Map(
  BROUGHT_BY.flatMap((brought, version) => brought.map((one) => [one, version] as const)),
);

const rules: Rule[] = Object.entries(ATTRIBUTES).map(([key, rule]) => {
  const property = key as AttributeProperty;
  const tag = tagOf(property);
  const spelling = SPELLINGS[property] ?? tag.name.replace(/(?<=[a-z])(?=[A-Z])/g, " ");
  const first = firsts.get(property);
  if (first === undefined) throw new TypeError(`no version brought ${property}`);
  const last = GONE_IN_2_0.has(property) ? V2_0 - 1 : NEWEST;
  return { ...(rule as AttributeRule<unknown, boolean>), property, tag, spelling, first, last };
});
/** Whether the attribute is one of that version (an index of VERSIONS). */
export const isInVersion = ({ first, last }: Rule, version: number): boolean =>
  version >= first && version <= last;
/** The rules by property, by tag, and by name in 1.x. */
export const ruleByProperty = new Map(rules.map((rule) => [rule.property as string, rule]));
export const ruleByTag = new Map(rules.map((rule) => [rule.tag.value, rule]));
/** The rule of an attribute. Throws `KmipEncodeError` for what is none of the table. */
export function ruleOf(property: string): Rule {
  const rule = ruleByProperty.get(property);
  if (rule === undefined) throw new KmipEncodeError(`no attribute ${property}`);
  return rule;
}
const ruleBySpelling = new Map(rules.map((rule) => [rule.spelling, rule]));

/** Whether that version has the attribute; what is no attribute of the table (vendor attributes …) is not judged. */
export function isAttributeOf(property: string, version: ProtocolVersion): boolean {
  const rule = ruleByProperty.get(property);
  return rule === undefined || isInVersion(rule, versionIndex(version));
}

/** The attribute's name in 1.x (`Cryptographic Algorithm`). */
export function attributeSpelling(reference: AttributeReference): string {
  if (typeof reference === "string") return ruleOf(reference).spelling;
  if ("tag" in reference) return tagByNumber(reference.tag)?.name ?? `0x${reference.tag.toString(16)}`;
  return customName(reference);
}

/** The attribute that has that name in 1.x; another name is a vendor's. */
export function attributeBySpelling(spelling: string): AttributeReference {
  const rule = ruleBySpelling.get(spelling) ?? ruleByProperty.get(propertyName(normaliseName(spelling)));
  return rule?.property ?? vendorName(spelling);
}

/** Vendor and name from a name of 1.x: `x-Coffer-Class` → Coffer, Class; `x-ID` → x, ID; without prefix no vendor. */
function vendorName(spelling: string): { vendorIdentification: string; attributeName: string } {
  const [, vendor, rest] = /^x-([A-Za-z0-9_.]+)-(.+)$/s.exec(spelling) ?? [];
  // A vendor named x or y would not come back from the long form.
  if (vendor !== undefined && rest !== undefined && !/^[xy]?$/.test(vendor))
    return { vendorIdentification: vendor, attributeName: rest };
  const [, prefix, name] = /^([xy])-(.*)$/s.exec(spelling) ?? [];
  return { vendorIdentification: prefix ?? "", attributeName: name ?? spelling };
}

/** The name in 1.x of a vendor attribute. */
export function customName(reference: { vendorIdentification: string; attributeName: string }): string {
  const { vendorIdentification: vendor, attributeName } = reference;
  if (vendor === "") return attributeName;
  return vendor === "x" || vendor === "y" ? `${vendor}-${attributeName}` : `x-${vendor}-${attributeName}`;
}
