import { isDeepStrictEqual } from "node:util";
import {
  type AttributeReference,
  type Attributes,
  KmipError,
  type UniqueIdentifier,
} from "#protocol/kmip/index.ts";
import { isDestroyed, type ManagedObject } from "../managed-object.ts";
import { checkChange, checkDelete, checkKept } from "../policy/attribute-change.ts";
import { type Context, type Handler, objectFor } from "./handler.ts";
import { checkDates, checkNames } from "./new-object.ts";

type Property = keyof Attributes & string;
type Row = Record<string, unknown>;

/** Masks are lists in our types and one value in the protocol. */
const MASKS: ReadonlySet<string> = new Set(["cryptographicUsageMask", "protectionStorageMask"]);

/** Add Attribute (KMIP 2.1 §6.1.2): a further instance, or the first of a single-valued attribute. */
export const addAttribute: Handler<"AddAttribute"> = (request, context) => {
  const { uniqueIdentifier, currentAttribute, newAttribute = currentAttribute } = request;
  const { object, property, value, many } = changeOf(uniqueIdentifier, newAttribute, "AddAttribute", context);
  const row = object.attributes as Row;
  if (many) {
    const added = value as unknown[];
    const list = (row[property] as unknown[] | undefined) ?? [];
    // A policy attribute that is there twice is refused when it is saved.
    if (list.some((one) => isDeepStrictEqual(one, added[0])))
      throw new KmipError(
        property === "name" ? "NonUniqueNameAttribute" : "InvalidAttribute",
        "The object has that attribute already",
      );
    row[property] = [...list, ...added];
    return saved(object, indexed(newAttribute, property, list.length), context);
  } else {
    if (row[property] !== undefined)
      throw new KmipError("AttributeSingleValued", "The attribute has one value only");
    row[property] = value;
  }
  return saved(object, newAttribute, context);
};

/** Modify Attribute (KMIP 2.1 §6.1.34): an attribute that is there; which of several, the current value says. */
export const modifyAttribute: Handler<"ModifyAttribute"> = (request, context) => {
  const { uniqueIdentifier, currentAttribute, newAttribute } = request;
  const { object, property, value, many } = changeOf(
    uniqueIdentifier,
    newAttribute,
    "ModifyAttribute",
    context,
  );
  const row = object.attributes as Row;
  if (row[property] === undefined)
    throw new KmipError("AttributeNotFound", "The object has no such attribute");
  if (many) {
    const [changed] = value as unknown[];
    const list = row[property] as unknown[];
    const index = instance(list, property, changed, currentAttribute, newAttribute);
    row[property] = list.with(index, changed);
    return saved(object, indexed(newAttribute, property, index), context);
  } else row[property] = value;
  return saved(object, newAttribute, context);
};

/** Set Attribute (KMIP 2.1 §6.1.51): an attribute that has one value or none; a vendor attribute can have several. */
export const setAttribute: Handler<"SetAttribute"> = ({ uniqueIdentifier, newAttribute }, context) => {
  const { object, property, value, many } = changeOf(uniqueIdentifier, newAttribute, "SetAttribute", context);
  const row = object.attributes as Row;
  if (property === "vendorAttributes") {
    const [wanted] = value as unknown[];
    const list = (row[property] as unknown[] | undefined) ?? [];
    const others = list.filter((one) => !sameVendorAttribute(one, wanted));
    if (list.length - others.length > 1)
      throw new KmipError("MultiValuedAttribute", "The attribute has several values");
    row[property] = [...others, wanted];
  } else if (many) {
    throw new KmipError("MultiValuedAttribute", "The attribute has several values");
  } else row[property] = value;
  return saved(object, newAttribute, context);
};

/** Delete Attribute (KMIP 2.1 §6.1.13): by value, or by name (1.x: the instance of an index). */
export const deleteAttribute: Handler<"DeleteAttribute"> = (request, context) => {
  const { uniqueIdentifier, currentAttribute, attributeReference, attributeIndex } = request;
  const object = objectFor(context, uniqueIdentifier, "DeleteAttribute");
  const row = object.attributes as Row;
  const { property, keep } = deletion(currentAttribute, attributeReference, attributeIndex);
  const vendor = currentAttribute?.vendorAttributes?.[0] ?? vendorOf(attributeReference);
  checkDelete(context.subject, object, property, context.now, vendor);
  const value = row[property];
  const list = Array.isArray(value) && !MASKS.has(property) ? value : value === undefined ? [] : [value];
  const left = list.filter((one, index) => keep(one, index));
  if (left.length === list.length)
    throw new KmipError("AttributeNotFound", "The object has no such attribute");
  const gone = list.find((one, index) => !keep(one, index));
  row[property] = left.length > 0 ? left : undefined;
  const answer = { [property]: Array.isArray(value) ? [gone] : gone } as Attributes;
  return { ...saved(object, undefined, context), currentAttribute: answer };
};

/** Adjust Attribute (KMIP 2.1 §6.1.3): a number up or down, or a Boolean to its opposite. */
export const adjustAttribute: Handler<"AdjustAttribute"> = (request, context) => {
  const { uniqueIdentifier, attributeReference, adjustmentType, adjustmentValue } = request;
  if (typeof attributeReference !== "string")
    throw new KmipError("InvalidAttribute", "Not an adjustable attribute");
  const object = objectFor(context, uniqueIdentifier, "AdjustAttribute");
  const row = object.attributes as Row;
  const value = row[attributeReference];
  if (value === undefined) throw new KmipError("AttributeNotFound", "The object has no such attribute");
  const by = adjustmentValue ?? 1;
  let next: unknown;
  if (adjustmentType === "Negate" && typeof value === "boolean") next = !value;
  else if (adjustmentType === "Negate" && typeof value === "number") next = -value;
  else if (typeof value === "number" && typeof by === "number")
    next = adjustmentType === "Increment" ? value + by : value - by;
  else throw new KmipError("InvalidDataType", "The attribute cannot be adjusted so");
  const change = { [attributeReference]: next } as Attributes;
  checkChange(context.subject, object, change, context.now);
  row[attributeReference] = next;
  return saved(object, undefined, context);
};

/** The attribute as 1.x answers it: with the index of its instance. */
function indexed(change: Attributes | undefined, property: Property, index: number): Attributes {
  const { attributeIndex: _, ...attribute } = change ?? {};
  if (property !== "vendorAttributes") return { ...attribute, attributeIndex: { [property]: [index] } };
  return attribute;
}

/** The one attribute of a request, if it may be changed on the object. */
function changeOf(
  identifier: UniqueIdentifier | undefined,
  change: Attributes | undefined,
  operation: string,
  context: Context,
) {
  const [property, ...more] = Object.keys(change ?? {}).filter(
    (key) => key !== "attributeIndex",
  ) as Property[];
  if (!change || property === undefined || more.length > 0)
    throw new KmipError("InvalidMessage", "One attribute at a time");
  const object = objectFor(context, identifier, operation);
  const value = change[property];
  if (Array.isArray(value) && !MASKS.has(property) && value.length !== 1)
    throw new KmipError("InvalidMessage", "One attribute at a time");
  checkReach(change, context);
  checkChange(context.subject, object, change, context.now);
  return { object, property, value, many: Array.isArray(value) && !MASKS.has(property) };
}

/**
 * A ticket for certain objects reaches no others by way of an attribute: whether a name is free is told by all the owner's
 * objects, and a link names another one.
 */
function checkReach({ name, link }: Attributes, { objects }: Context): void {
  if (!objects) return;
  const linked = link?.every(
    ({ linkedObjectIdentifier: uid }) => typeof uid === "string" && objects.has(uid),
  );
  if (name || linked === false) throw new KmipError("NotAuthorised", "The ticket is not for other objects");
}

function instance(
  list: unknown[],
  property: Property,
  value: unknown,
  current: Attributes | undefined,
  next: Attributes | undefined,
): number {
  const [wanted] = (current?.[property] as unknown[] | undefined) ?? [];
  const index =
    wanted !== undefined
      ? list.findIndex((one) => isDeepStrictEqual(one, wanted))
      : property === "vendorAttributes"
        ? list.findIndex((one) => sameVendorAttribute(one, value))
        : ((next?.attributeIndex as Record<string, number[]> | undefined)?.[property]?.[0] ?? 0);
  if (index < 0 || index >= list.length)
    throw new KmipError("AttributeInstanceNotFound", "The object has no such attribute");
  if (property === "vendorAttributes" && !sameVendorAttribute(list[index], value))
    throw new KmipError("PermissionDenied", "A vendor attribute does not become another");
  return index;
}

function deletion(
  current: Attributes | undefined,
  reference: AttributeReference | undefined,
  attributeIndex: number | undefined,
): { property: Property; keep: (one: unknown, index: number) => boolean } {
  const [property] = Object.keys(current ?? {}).filter((key) => key !== "attributeIndex") as Property[];
  if (current && property) {
    const value = current[property];
    const wanted = Array.isArray(value) && !MASKS.has(property) ? value[0] : value;
    return { property, keep: (one) => !isDeepStrictEqual(one, wanted) };
  }
  if (typeof reference === "string")
    return {
      property: reference,
      keep: (_one, index) => attributeIndex !== undefined && index !== attributeIndex,
    };
  const vendor = vendorOf(reference);
  if (!vendor) throw new KmipError("InvalidMessage", "No attribute is named");
  return { property: "vendorAttributes", keep: (one) => !sameVendorAttribute(one, vendor) };
}

function vendorOf(reference: AttributeReference | undefined) {
  return typeof reference === "object" && "vendorIdentification" in reference ? reference : undefined;
}

function sameVendorAttribute(one: unknown, other: unknown): boolean {
  const [a, b] = [one, other] as { vendorIdentification: string; attributeName: string }[];
  return a!.vendorIdentification === b!.vendorIdentification && a!.attributeName === b!.attributeName;
}

function saved(object: ManagedObject, newAttribute: Attributes | undefined, context: Context) {
  const { attributes } = object;
  if (isDestroyed(object)) throw new KmipError("ObjectDestroyed", "The object was destroyed");
  checkKept(context.work.get(object.uid)!, object);
  checkDates(attributes);
  checkNames(context, object);
  attributes.lastChangeDate = context.now;
  if (attributes.sensitive === false) attributes.alwaysSensitive = false;
  if (attributes.extractable === true) attributes.neverExtractable = false;
  context.work.put(object);
  return { uniqueIdentifier: object.uid, ...(newAttribute ? { newAttribute } : {}) };
}
