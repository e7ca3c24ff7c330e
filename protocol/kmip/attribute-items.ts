/**
 * Attributes as items. 2.x writes them as items of an Attributes structure (KMIP 2.1 §5.1), 1.x as triples of name,
 * index and value (KMIP 1.4 §2.1.1 Attribute), in a Template-Attribute or bare.
 */

import { seconds } from "../clock.ts";
import { ATTRIBUTES } from "./attribute-table.ts";
import {
  type Attributes,
  attributeBySpelling,
  customName,
  isInVersion,
  type Rule,
  ruleByProperty,
  ruleByTag,
  ruleOf,
  type VendorAttribute,
  type VendorValue,
} from "./attributes.ts";
import { tagNumber } from "./dictionary.ts";
import { KmipDecodeError, KmipEncodeError } from "./errors.ts";
import type { Item } from "./item.ts";
import { AbsentInVersion, type Codec, type Context, dateTime, wrongType } from "./schema.ts";

const TAG = {
  attribute: tagNumber("Attribute"),
  attributeIndex: tagNumber("AttributeIndex"),
  attributeName: tagNumber("AttributeName"),
  attributeValue: tagNumber("AttributeValue"),
  name: tagNumber("Name"),
  vendorIdentification: tagNumber("VendorIdentification"),
} as const;

/** Writes a value that has no schema as the item type that its JavaScript type suggests. */
export const vendorValue: Codec<VendorValue> = {
  encode(tag, value) {
    if (typeof value === "string") return { tag, type: "TextString", value };
    if (typeof value === "number") return { tag, type: "Integer", value };
    if (typeof value === "bigint") return { tag, type: "LongInteger", value };
    if (typeof value === "boolean") return { tag, type: "Boolean", value };
    if (value instanceof Uint8Array) return { tag, type: "ByteString", value };
    if (value instanceof Date) return { tag, type: "DateTime", value: BigInt(seconds(value)) };
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

/** A text item. */
export const text = (tag: number, value: string): Item => ({ tag, type: "TextString", value });

/** Refuses, in a request, what its version lacks. */
export function absent(what: string, { direction }: Context): void {
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
    if (!isInVersion(rule, context.version)) {
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
export function write1(attributes: Attributes, context: Context): Item[] {
  const items: Item[] = [];
  // An index of 0 may be left out; one that the attributes name is written (KMIP 1.4 §2.1.1 Attribute).
  const counted = (position: number) =>
    context.direction === "response" && position > 0 ? position : undefined;
  const push = (name: string, index: number | undefined, value: Item) => {
    const parts = [text(TAG.attributeName, name)];
    if (index !== undefined) parts.push({ tag: TAG.attributeIndex, type: "Integer", value: index });
    parts.push(value);
    items.push({ tag: TAG.attribute, type: "Structure", value: parts });
  };
  eachInstance(attributes, context, (rule, value, position) => {
    const index = attributes.attributeIndex?.[rule.property]?.[position];
    push(rule.spelling, index ?? counted(position), rule.codec.encode(TAG.attributeValue, value, context));
  });
  const seen = new Map<string, number>();
  for (const attribute of attributes.vendorAttributes ?? []) {
    const name = customName(attribute);
    const position = seen.get(name) ?? 0;
    seen.set(name, position + 1);
    push(
      name,
      attribute.attributeIndex ?? counted(position),
      vendorValue.encode(TAG.attributeValue, attribute.attributeValue, context),
    );
  }
  if (attributes.extensions !== undefined) items.push(...attributes.extensions);
  return items;
}

function set(target: Attributes, rule: Rule, item: Item, index: number | undefined, context: Context): void {
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
  } else if (record[rule.property] === undefined) record[rule.property] = [value];
  else (record[rule.property] as unknown[]).push(value);
  const count = rule.many ? (record[rule.property] as unknown[]).length : 1;
  const known = target.attributeIndex?.[rule.property];
  if (known !== undefined) known.push(index);
  else if (index !== undefined) {
    target.attributeIndex ??= {};
    target.attributeIndex[rule.property] = [...new Array<undefined>(count - 1).fill(undefined), index];
  }
}

/** Reads one Attribute structure of 1.x, or a vendor attribute of 2.x. */
export function readAttribute(target: Attributes, item: Item, context: Context): void {
  if (item.type !== "Structure") throw wrongType(item, "Structure");
  let vendor: string | undefined;
  let name: string | undefined;
  let index: number | undefined;
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
    set(target, ruleOf(reference), value, index, context);
    return;
  }
  const attribute: VendorAttribute = {
    ...(reference as { vendorIdentification: string; attributeName: string }),
    attributeValue: vendorValue.decode(value, context),
  };
  if (index !== undefined) attribute.attributeIndex = index;
  target.vendorAttributes ??= [];
  target.vendorAttributes.push(attribute);
}

function readOne(target: Attributes, item: Item, context: Context): void {
  const rule = ruleByTag.get(item.tag);
  if (item.tag === TAG.attribute) readAttribute(target, item, context);
  else if (rule !== undefined) set(target, rule, item, undefined, context);
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
export const templateAttribute: Codec<Attributes> = {
  encode(tag, value, context) {
    const name = ruleOf("name");
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
