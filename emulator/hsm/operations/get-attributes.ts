import { type AttributeReference, KmipError } from "#protocol/kmip/index.ts";
import { chosen, distinct } from "./chosen-attributes.ts";
import { clientAttributes } from "./client-attributes.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";
import { decodableByPyKmip } from "./pykmip.ts";

/** Attributes that may be asked for by name. */
const MAX_REFERENCES = 1024;

/** Get Attributes (KMIP 2.1 §6.1.20): those that were asked for, all when none was; what an object lacks is left out. */
const getAttributes: Handler<"GetAttributes"> = ({ uniqueIdentifier, attributeReference }, context) => {
  if (attributeReference.length > MAX_REFERENCES) throw new KmipError("InvalidField", "Too many attributes");
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
