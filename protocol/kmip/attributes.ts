/**
 * Attributes of managed objects, one shape for all versions. 2.x writes them as items of an Attributes structure
 * (KMIP 2.1 §7.1), 1.x as triples of name, index and value (KMIP 1.4 §2.1.1), in a Template-Attribute or bare.
 */

import { ATTRIBUTES, type AttributeRule } from "./attribute-table.ts";
import { type Entry, tagByNumber, tagByProperty, tagNumber } from "./dictionary.ts";
import { KmipDecodeError, KmipEncodeError } from "./errors.ts";
import type { Bytes, Item } from "./item.ts";
import { AbsentInVersion, type Codec, type Context, dateTime, type Field, wrongType } from "./schema.ts";
import { normaliseName, propertyName } from "./tables/names.ts";
import { NEWEST, V2_0 } from "./version.ts";

type Table = typeof ATTRIBUTES;

/** Property of an attribute of the specification (`cryptographicAlgorithm`). */
export type AttributeProperty = keyof Table;

/** Type of an attribute's value; of one instance where there may be several. */
export type AttributeType<K extends AttributeProperty> =
  Table[K] extends AttributeRule<infer T, boolean> ? T : never;

/** Value of an attribute that has no schema; what no JavaScript type says exactly is an item. */
export type VendorValue = string | number | bigint | boolean | Date | Bytes | Item;

/** KMIP 2.1 §4.67 Vendor Attribute. In 1.x the custom attribute `x-<vendor>-<name>`, or `x-<name>` of vendor `x`. */
export type VendorAttribute = {
  vendorIdentification: string;
  attributeName: string;
  attributeValue: VendorValue;
  /** 1.x only: index of the instance, where it is not the position. */
  attributeIndex?: number;
};

/** The attributes of an object, or a pattern of them, by property. Those that may repeat are lists. */
export type Attributes = {
  [K in AttributeProperty]?: Table[K]["many"] extends true ? AttributeType<K>[] : AttributeType<K>;
} & {
  vendorAttributes?: VendorAttribute[];
  /** 1.x only: names of templates (Template-Attribute, KMIP 1.4 §2.1.8). */
  templateNames?: AttributeType<"name">[];
  /** 1.x only: indexes of the instances of repeated attributes, where one is not the position in the list. */
  attributeIndex?: { [K in AttributeProperty]?: number[] };
  /** Locate only: where the range of dates ends that the attribute of that name begins (KMIP 2.1 §6.1.27). */
  rangeEnd?: { [K in AttributeProperty]?: Date };
  /** Items that are no attributes of the specification. */
  extensions?: Item[];
};

/** Names an attribute: by property, or by vendor and name. */
export type AttributeReference =
  | AttributeProperty
  | { vendorIdentification: string; attributeName: string }
  | { tag: number };

const TAG = {
  attribute: tagNumber("Attribute"),
  attributes: tagNumber("Attributes"),
  attributeIndex: tagNumber("AttributeIndex"),
  attributeName: tagNumber("AttributeName"),
  attributeReference: tagNumber("AttributeReference"),
  attributeValue: tagNumber("AttributeValue"),
  name: tagNumber("Name"),
  vendorIdentification: tagNumber("VendorIdentification"),
} as const;

/** Names of 1.x that do not follow from the tag by putting spaces between words. */
const SPELLINGS: Partial<Record<AttributeProperty, string>> = {
  x_509CertificateIdentifier: "X.509 Certificate Identifier",
  x_509CertificateSubject: "X.509 Certificate Subject",
  x_509CertificateIssuer: "X.509 Certificate Issuer",
  pkcs_12FriendlyName: "PKCS#12 Friendly Name",
};

type Rule = AttributeRule<unknown, boolean> & { property: AttributeProperty; tag: Entry; spelling: string };

const rules: Rule[] = Object.entries(ATTRIBUTES).map(([key, rule]) => {
  const property = key as AttributeProperty;
  const tag = tagByProperty(property);
  if (tag === undefined) throw new TypeError(`no tag for ${property}`);
  const spelling = SPELLINGS[property] ?? tag.name.replace(/(?<=[a-z])(?=[A-Z])/g, " ");
  return { ...(rule as AttributeRule<unknown, boolean>), property, tag, spelling };
});
const ruleByProperty = new Map(rules.map((rule) => [rule.property as string, rule]));
const ruleByTag = new Map(rules.map((rule) => [rule.tag.value, rule]));
const ruleBySpelling = new Map(rules.map((rule) => [rule.spelling, rule]));

/** The attribute's name in 1.x (`Cryptographic Algorithm`). */
export function attributeSpelling(reference: AttributeReference): string {
  if (typeof reference === "string") return ruleByProperty.get(reference)!.spelling;
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
  if (vendor !== undefined && !/^[xy]?$/.test(vendor))
    return { vendorIdentification: vendor, attributeName: rest! };
  const [, prefix, name] = /^([xy])-(.*)$/s.exec(spelling) ?? [];
  return { vendorIdentification: prefix ?? "", attributeName: name ?? spelling };
}

function customName(reference: { vendorIdentification: string; attributeName: string }): string {
  const { vendorIdentification: vendor, attributeName } = reference;
  if (vendor === "") return attributeName;
  return vendor === "x" || vendor === "y" ? `${vendor}-${attributeName}` : `x-${vendor}-${attributeName}`;
}

/** Writes a value that has no schema as the item type that its JavaScript type suggests. */
export const vendorValue: Codec<VendorValue> = {
  encode(tag, value) {
    if (typeof value === "string") return { tag, type: "TextString", value };
    if (typeof value === "number") return { tag, type: "Integer", value };
    if (typeof value === "bigint") return { tag, type: "LongInteger", value };
    if (typeof value === "boolean") return { tag, type: "Boolean", value };
    if (value instanceof Uint8Array) return { tag, type: "ByteString", value };
    if (value instanceof Date)
      return { tag, type: "DateTime", value: BigInt(Math.floor(value.getTime() / 1000)) };
    return { ...value, tag };
  },
  decode(item) {
    switch (item.type) {
      case "TextString":
      case "Integer":
      case "LongInteger":
      case "Boolean":
      case "ByteString":
        return item.value;
      case "DateTime": {
        const date = new Date(Number(item.value) * 1000);
        return Number.isNaN(date.getTime()) ? item : date;
      }
      default:
        return item;
    }
  },
};

const text = (tag: number, value: string): Item => ({ tag, type: "TextString", value });

function absent(what: string, { direction }: Context): void {
  if (direction === "request") throw new AbsentInVersion(`${what} is not in this protocol version`);
}

/** Writes each instance of each attribute through `write`, leaving out what the version does not have. */
function eachInstance(
  attributes: Attributes,
  context: Context,
  write: (rule: Rule, value: unknown, position: number) => void,
): void {
  for (const [property, value] of Object.entries(attributes)) {
    const rule = ruleByProperty.get(property);
    if (value === undefined) continue;
    if (rule === undefined) {
      if (SPECIAL.has(property)) continue;
      throw new KmipEncodeError(`no attribute ${property}`);
    }
    if (context.version < rule.tag.first || context.version > rule.tag.last) {
      absent(rule.tag.name, context);
      continue;
    }
    const end = attributes.rangeEnd?.[rule.property];
    const instances = rule.many ? (value as unknown[]) : end === undefined ? [value] : [value, end];
    for (const [position, instance] of instances.entries()) {
      try {
        write(rule, instance, position);
      } catch (error) {
        if (!(error instanceof AbsentInVersion) || context.direction === "request") throw error;
      }
    }
  }
}

const SPECIAL = new Set(["vendorAttributes", "templateNames", "attributeIndex", "rangeEnd", "extensions"]);

/** 2.x: the items of an Attributes structure. */
function write2(attributes: Attributes, context: Context): Item[] {
  const items: Item[] = [];
  for (const { vendorIdentification, attributeName, attributeValue } of attributes.vendorAttributes ?? []) {
    const value = [
      text(TAG.vendorIdentification, vendorIdentification),
      text(TAG.attributeName, attributeName),
      vendorValue.encode(TAG.attributeValue, attributeValue, context),
    ];
    items.push({ tag: TAG.attribute, type: "Structure", value });
  }
  eachInstance(attributes, context, (rule, value) => {
    items.push(rule.codec.encode(rule.tag.value, value, context));
  });
  if (attributes.extensions !== undefined) items.push(...attributes.extensions);
  return items;
}

/** 1.x: Attribute items. */
function write1(attributes: Attributes, context: Context): Item[] {
  const items: Item[] = [];
  const push = (name: string, index: number | undefined, value: Item) => {
    const parts = [text(TAG.attributeName, name)];
    if (index !== undefined && index !== 0)
      parts.push({ tag: TAG.attributeIndex, type: "Integer", value: index });
    parts.push(value);
    items.push({ tag: TAG.attribute, type: "Structure", value: parts });
  };
  eachInstance(attributes, context, (rule, value, position) => {
    const index = attributes.attributeIndex?.[rule.property]?.[position];
    push(
      rule.spelling,
      index ?? (context.direction === "response" ? position : undefined),
      rule.codec.encode(TAG.attributeValue, value, context),
    );
  });
  for (const attribute of attributes.vendorAttributes ?? []) {
    const value = vendorValue.encode(TAG.attributeValue, attribute.attributeValue, context);
    push(customName(attribute), attribute.attributeIndex, value);
  }
  if (attributes.extensions !== undefined) items.push(...attributes.extensions);
  return items;
}

function set(target: Attributes, rule: Rule, item: Item, index: number, context: Context): void {
  const record = target as Record<string, unknown>;
  const value = rule.codec.decode(item, context);
  if (!rule.many) {
    if (record[rule.property] !== undefined && rule.codec === dateTime && context.ranges) {
      target.rangeEnd ??= {};
      if (target.rangeEnd[rule.property] !== undefined)
        throw new KmipDecodeError(`${rule.tag.name} occurs three times`);
      target.rangeEnd[rule.property] = value as Date;
      return;
    }
    if (record[rule.property] !== undefined) throw new KmipDecodeError(`${rule.tag.name} occurs twice`);
    record[rule.property] = value;
    if (index === 0) return;
  } else if (record[rule.property] === undefined) record[rule.property] = [value];
  else (record[rule.property] as unknown[]).push(value);
  const list = rule.many ? (record[rule.property] as unknown[]) : [value];
  const known = target.attributeIndex?.[rule.property];
  if (known !== undefined) known.push(index);
  else if (index !== 0) {
    target.attributeIndex ??= {};
    target.attributeIndex[rule.property] = [...list.slice(1).map(() => 0), index];
  }
}

/** Reads one Attribute structure of 1.x, or a vendor attribute of 2.x. */
function readAttribute(target: Attributes, item: Item, context: Context): void {
  if (item.type !== "Structure") throw wrongType(item, "Structure");
  let vendor: string | undefined;
  let name: string | undefined;
  let index = 0;
  let value: Item | undefined;
  for (const child of item.value) {
    if (child.tag === TAG.vendorIdentification && child.type === "TextString") vendor = child.value;
    else if (child.tag === TAG.attributeName && child.type === "TextString") name = child.value;
    else if (child.tag === TAG.attributeIndex && child.type === "Integer") index = child.value;
    else if (child.tag === TAG.attributeValue && value === undefined) value = child;
    else throw new KmipDecodeError("unexpected item in Attribute");
  }
  if (name === undefined) throw new KmipDecodeError("AttributeName is missing");
  if (value === undefined) throw new KmipDecodeError("AttributeValue is missing");
  const reference =
    vendor === undefined ? attributeBySpelling(name) : { vendorIdentification: vendor, attributeName: name };
  if (typeof reference === "string") {
    set(target, ruleByProperty.get(reference)!, value, index, context);
    return;
  }
  const attribute: VendorAttribute = {
    ...(reference as { vendorIdentification: string; attributeName: string }),
    attributeValue: vendorValue.decode(value, context),
  };
  if (index !== 0) attribute.attributeIndex = index;
  target.vendorAttributes ??= [];
  target.vendorAttributes.push(attribute);
}

function readOne(target: Attributes, item: Item, context: Context): void {
  const rule = ruleByTag.get(item.tag);
  if (item.tag === TAG.attribute) readAttribute(target, item, context);
  else if (rule !== undefined) set(target, rule, item, 0, context);
  else {
    target.extensions ??= [];
    target.extensions.push(item);
  }
}

/** The Attributes structure of 2.x under any tag that carries it. */
export const attributesStructure: Codec<Attributes> = {
  encode: (tag, value, context) => ({ tag, type: "Structure", value: write2(value, context) }),
  decode(item, context) {
    if (item.type !== "Structure") throw wrongType(item, "Structure");
    const attributes: Attributes = {};
    for (const child of item.value) readOne(attributes, child, context);
    return attributes;
  },
};

/** Template-Attribute of 1.x: names of templates, then attributes. */
const templateAttribute: Codec<Attributes> = {
  encode(tag, value, context) {
    const name = ruleByProperty.get("name")!;
    const names = (value.templateNames ?? []).map((one) => name.codec.encode(TAG.name, one, context));
    return { tag, type: "Structure", value: [...names, ...write1(value, context)] };
  },
  decode(item, context) {
    if (item.type !== "Structure") throw wrongType(item, "Structure");
    const attributes: Attributes = {};
    for (const child of item.value) {
      if (child.tag !== TAG.name) readOne(attributes, child, context);
      else {
        attributes.templateNames ??= [];
        attributes.templateNames.push(ATTRIBUTES.name.codec.decode(child, context));
      }
    }
    return attributes;
  },
};

/** How 1.x writes attributes: in a Template-Attribute of that tag, or as bare Attribute items. */
type Former =
  | "TemplateAttribute"
  | "CommonTemplateAttribute"
  | "PrivateKeyTemplateAttribute"
  | "PublicKeyTemplateAttribute"
  | "Attribute";

function attributesField<P extends "required" | "optional">(
  presence: P,
  former: Former,
  options: { first?: number; last?: number; ranges?: boolean } = {},
): Field<Attributes, P> {
  return {
    presence,
    bind(property) {
      const current = tagByProperty(property)!;
      const formerTag = tagNumber(former);
      return {
        property,
        tags: [current.value, formerTag],
        write(value, items, context) {
          const attributes = value as Attributes | undefined;
          if (attributes === undefined) {
            if (presence === "required") throw new KmipEncodeError(`${property} is missing`);
            return;
          }
          const { first = 0, last = NEWEST } = options;
          if (context.version < first || context.version > last) absent(current.name, context);
          else if (context.version >= V2_0) {
            items.push(attributesStructure.encode(current.value, attributes, context));
          } else if (former === "Attribute") items.push(...write1(attributes, context));
          else items.push(templateAttribute.encode(formerTag, attributes, context));
        },
        read(target, item, outer) {
          const context = options.ranges ? { ...outer, ranges: true } : outer;
          if (former === "Attribute" && item.tag === formerTag) {
            target[property] ??= {};
            readAttribute(target[property] as Attributes, item, context);
            return;
          }
          if (target[property] !== undefined) throw new KmipDecodeError(`${current.name} occurs twice`);
          const codec = item.tag === current.value ? attributesStructure : templateAttribute;
          target[property] = codec.decode(item, context);
        },
        finish(target) {
          if (presence === "required") target[property] ??= {};
        },
      };
    },
  };
}

/** Attributes that are always there, perhaps empty; `ranges` lets dates occur twice, as in Locate. */
export const attributes = (former: Former, options?: { ranges: boolean }): Field<Attributes, "required"> =>
  attributesField("required", former, options);
/** Attributes that may be missing; `first` and `last` are the versions that have them. */
export const optionalAttributes = (
  former: Former,
  options?: { first?: number; last?: number },
): Field<Attributes, "optional"> => attributesField("optional", former, options);

/** One attribute: New Attribute or Current Attribute of 2.x, an Attribute of 1.x. */
export const oneAttribute = (options?: { last?: number }): Field<Attributes, "optional"> =>
  attributesField("optional", "Attribute", options);

/** KMIP 2.1 §7.2 Attribute Reference: an enumeration of tags, or vendor and name. */
const referenceStructure: Codec<AttributeReference> = {
  encode(tag, reference, context) {
    if (typeof reference === "string") {
      const rule = ruleByProperty.get(reference);
      if (rule === undefined) throw new KmipEncodeError(`no attribute ${reference}`);
      if (context.version < rule.tag.first || context.version > rule.tag.last)
        throw new AbsentInVersion(`${rule.tag.name} is not in this protocol version`);
      return { tag, type: "Enumeration", value: rule.tag.value };
    }
    if ("tag" in reference) return { tag, type: "Enumeration", value: reference.tag };
    const value = [
      text(TAG.vendorIdentification, reference.vendorIdentification),
      text(TAG.attributeName, reference.attributeName),
    ];
    return { tag, type: "Structure", value };
  },
  decode(item) {
    if (item.type === "Enumeration") return ruleByTag.get(item.value)?.property ?? { tag: item.value };
    if (item.type !== "Structure") throw wrongType(item, "Enumeration or Structure");
    const [vendor, name] = item.value;
    if (vendor?.tag !== TAG.vendorIdentification || vendor.type !== "TextString")
      throw new KmipDecodeError("VendorIdentification is missing");
    if (name?.tag !== TAG.attributeName || name.type !== "TextString")
      throw new KmipDecodeError("AttributeName is missing");
    return { vendorIdentification: vendor.value, attributeName: name.value };
  },
};

/** Attribute Name, a text, in 1.x; Attribute Reference in 2.x. */
const referenceCodec: Codec<AttributeReference> = {
  encode(tag, reference, context) {
    if (context.version >= V2_0) return referenceStructure.encode(tag, reference, context);
    if (typeof reference === "string") {
      const { tag: attribute } = ruleByProperty.get(reference)!;
      if (context.version < attribute.first || context.version > attribute.last)
        throw new AbsentInVersion(`${attribute.name} is not in this protocol version`);
    }
    return text(TAG.attributeName, attributeSpelling(reference));
  },
  decode(item, context) {
    return item.type === "TextString"
      ? attributeBySpelling(item.value)
      : referenceStructure.decode(item, context);
  },
};

function referenceField<T, P extends "required" | "optional">(presence: P, many: boolean): Field<T, P> {
  return {
    presence,
    bind: (property) => ({
      property,
      tags: [TAG.attributeReference, TAG.attributeName],
      write(value, items, context) {
        const references = many ? ((value ?? []) as AttributeReference[]) : [value as AttributeReference];
        for (const reference of references) {
          if (reference === undefined) continue;
          try {
            items.push(referenceCodec.encode(TAG.attributeReference, reference, context));
          } catch (error) {
            if (!(error instanceof AbsentInVersion) || context.direction === "request") throw error;
          }
        }
      },
      read(target, item, context) {
        const reference = referenceCodec.decode(item, context);
        if (many) {
          target[property] ??= [];
          (target[property] as AttributeReference[]).push(reference);
        } else if (target[property] !== undefined)
          throw new KmipDecodeError("AttributeReference occurs twice");
        else target[property] = reference;
      },
      finish(target) {
        if (many && presence === "required") target[property] ??= [];
      },
    }),
  };
}

/** Names of attributes, perhaps none. */
export const attributeReferences = (): Field<AttributeReference[], "required"> =>
  referenceField("required", true);
/** The name of one attribute, or none. */
export const attributeReference = (): Field<AttributeReference, "optional"> =>
  referenceField("optional", false);
