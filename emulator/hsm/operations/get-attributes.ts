import { type AttributeReference, type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { clientAttributes } from "./client-attributes.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { decodableByPyKmip } from "./pykmip.ts";

/** Attributes that may be asked for by name. */
const MOST = 1024;

/** Get Attributes (KMIP 2.1 §6.1.20): those that were asked for, all when none was; what an object lacks is left out. */
const getAttributes: Handler<"GetAttributes"> = ({ uniqueIdentifier, attributeReference }, context) => {
  if (attributeReference.length > MOST) throw new KmipError("InvalidField", "Too many attributes");
  const object = objectFor(context, uniqueIdentifier, "GetAttributes", { destroyed: true });
  const all = clientAttributes(object, context.now);
  return {
    uniqueIdentifier: object.uid,
    attributes:
      attributeReference.length > 0
        ? chosen(all, attributeReference)
        : context.pykmip
          ? decodableByPyKmip(all, context.version)
          : all,
  };
};

/** Get Attribute List (KMIP 2.1 §6.1.21): the names alone. */
const getAttributeList: Handler<"GetAttributeList"> = ({ uniqueIdentifier }, context) => {
  const object = objectFor(context, uniqueIdentifier, "GetAttributeList", { destroyed: true });
  const {
    vendorAttributes = [],
    extensions: _,
    attributeIndex: __,
    ...named
  } = clientAttributes(object, context.now);
  const references: AttributeReference[] = Object.entries(named)
    .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
    .map(([property]) => property as AttributeReference);
  for (const { vendorIdentification, attributeName } of vendorAttributes)
    references.push({ vendorIdentification, attributeName });
  return { uniqueIdentifier: object.uid, attributeReference: distinct(references) };
};

/** Those of an object's attributes that are named. */
export function chosen(all: Attributes, references: AttributeReference[]): Attributes {
  const { attributeIndex } = all;
  const record: Record<string, unknown> = attributeIndex ? { attributeIndex } : {};
  for (const reference of distinct(references)) {
    if (typeof reference === "string") record[reference] = all[reference];
    else if ("vendorIdentification" in reference) {
      const found = all.vendorAttributes?.filter(
        (attribute) =>
          attribute.vendorIdentification === reference.vendorIdentification &&
          attribute.attributeName === reference.attributeName,
      );
      record.vendorAttributes = [...((record.vendorAttributes as unknown[]) ?? []), ...(found ?? [])];
    }
  }
  return record as Attributes;
}

/** What is asked for twice is returned once. */
function distinct(references: AttributeReference[]): AttributeReference[] {
  return [...new Map(references.map((one) => [JSON.stringify(one), one])).values()];
}

export const GetAttributes: Operation<"GetAttributes"> = {
  handler: getAttributes,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: ["kms", "ra", "iam", "audit"],
  ticket: "objects",
  policyName: "GET_ATTRIBUTES",
  shared: true,
};

export const GetAttributeList: Operation<"GetAttributeList"> = {
  handler: getAttributeList,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "GET_ATTRIBUTE_LIST",
  shared: true,
};
