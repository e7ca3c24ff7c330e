/** Attributes as fields of payloads and objects: Attributes in 2.x, Template-Attribute or Attribute items in 1.x. */

import { absent, attributesStructure, readAttribute, templateAttribute, write1 } from "./attribute-items.ts";
import type { Attributes } from "./attributes.ts";
import { tagNumber, tagOf } from "./dictionary.ts";
import { KmipDecodeError, KmipEncodeError } from "./errors.ts";
import type { Field } from "./schema.ts";
import { NEWEST, V2_0 } from "./version.ts";

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
      const current = tagOf(property);
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
          } else if (former === "Attribute") {
            // Beside other fields of a payload they could not be distinguished from those.
            if (attributes.extensions) throw new KmipEncodeError("1.x has no form for an extension here");
            items.push(...write1(attributes, context));
          } else items.push(templateAttribute.encode(formerTag, attributes, context));
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
