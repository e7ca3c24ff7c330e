/** Names of attributes in payloads: Attribute Name, a text, in 1.x; Attribute Reference in 2.x (KMIP 2.1 §5.5). */

import { text } from "./attribute-items.ts";
import {
  type AttributeReference,
  attributeBySpelling,
  attributeSpelling,
  isInVersion,
  ruleByTag,
  ruleOf,
} from "./attributes.ts";
import { tagNumber } from "./dictionary.ts";
import { KmipDecodeError } from "./errors.ts";
import { AbsentInVersion, type Codec, type Field, wrongType } from "./schema.ts";
import { V2_0 } from "./version.ts";

const TAG = {
  attributeName: tagNumber("AttributeName"),
  attributeReference: tagNumber("AttributeReference"),
  vendorIdentification: tagNumber("VendorIdentification"),
} as const;

/** KMIP 2.1 §5.5 Attribute Reference: an enumeration of tags, or vendor and name. */
export const referenceStructure: Codec<AttributeReference> = {
  encode(tag, reference, context) {
    if (typeof reference === "string") {
      const rule = ruleOf(reference);
      if (!isInVersion(rule, context.version))
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
      const rule = ruleOf(reference);
      if (!isInVersion(rule, context.version))
        throw new AbsentInVersion(`${rule.tag.name} is not in this protocol version`);
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
