import { isDeepStrictEqual } from "node:util";
import {
  type AttributeReference,
  type Attributes,
  KmipError,
  type UniqueIdentifier,
  type VendorAttribute,
} from "#protocol/kmip/index.ts";
import { checkChange, checkDelete, checkKept } from "../policy/attribute-change.ts";
import { counted, unused } from "../policy/usage-limits.ts";
import { isDestroyed, type ManagedObject } from "../store/managed-object.ts";
import {
  addInstance,
  changeInstance,
  checkCount,
  type Instance,
  instancesOf,
  isOf,
  isRepeated,
  type Property,
  removeInstances,
  type VendorName,
} from "./attribute-instances.ts";
import type { Asker, Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { checkDates, checkNames } from "./new-object.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";

type Row = Record<string, unknown>;
type UsageLimits = NonNullable<Attributes["usageLimits"]>;

/** Add Attribute (KMIP 2.1 §6.1.2): a further instance, or the first of a single-valued attribute. */
const addAttribute: Handler<"AddAttribute"> = (request, context) => {
  const { uniqueIdentifier, currentAttribute, newAttribute = currentAttribute } = request;
  const { object, property, value, many, vendor, named } = changeOf(
    uniqueIdentifier,
    newAttribute,
    "AddAttribute",
    context,
  );
  const row = object.attributes as Row;
  if (!many) {
    if (row[property] !== undefined)
      throw new KmipError("AttributeSingleValued", "The attribute has one value only");
    if (named) throw new KmipError("InvalidField", "The attribute has one instance, of index 0");
    row[property] = value;
    return saved(object, answered(property, value, false, named), context);
  }
  // A duplicate policy attribute is refused when it is saved.
  if (instancesOf(object, property, vendor).some((one) => isDeepStrictEqual(bare(one.value), value)))
    throw new KmipError(
      property === "name" ? "NonUniqueNameAttribute" : "InvalidAttribute",
      "The object has that attribute already",
    );
  const index = addInstance(object, property, value, vendor);
  checkCount(object);
  // KMIP 1.4 §4.14 Add Attribute: the request names no index; that of the first instance does no harm.
  if (named !== undefined && (named !== 0 || index !== 0))
    throw new KmipError("InvalidField", "The server gives the index of a new instance");
  return saved(object, answered(property, value, true, index), context);
};

/** Modify Attribute (KMIP 2.1 §6.1.34): an existing attribute; which of several, its index says, or its value. */
const modifyAttribute: Handler<"ModifyAttribute"> = (request, context) => {
  const { uniqueIdentifier, currentAttribute, newAttribute } = request;
  const { object, property, value, vendor, many, named } = changeOf(
    uniqueIdentifier,
    newAttribute,
    "ModifyAttribute",
    context,
  );
  const instance = currentAttribute
    ? valued(object, property, vendor, currentAttribute)
    : context.version.major < 2
      ? indexed(object, property, vendor, named)
      : only(object, property, vendor);
  changeInstance(object, property, instance, value);
  return saved(object, answered(property, value, many, many ? instance.index : named), context);
};

/** Set Attribute (KMIP 2.1 §6.1.51): an attribute that has one value or none; a vendor attribute can have several. */
const setAttribute: Handler<"SetAttribute"> = ({ uniqueIdentifier, newAttribute }, context) => {
  const { object, property, value, many, vendor } = changeOf(
    uniqueIdentifier,
    newAttribute,
    "SetAttribute",
    context,
  );
  if (many && !vendor) throw severalValues();
  const [instance, ...more] = instancesOf(object, property, vendor);
  if (more.length > 0) throw severalValues();
  if (instance) changeInstance(object, property, instance, value);
  else if (many) addInstance(object, property, value, vendor);
  else (object.attributes as Row)[property] = value;
  return saved(object, undefined, context);
};

/** Delete Attribute (KMIP 2.1 §6.1.13): by value, or by name: of 1.x the instance of an index, of 2.x all of them. */
const deleteAttribute: Handler<"DeleteAttribute"> = (request, context) => {
  const { uniqueIdentifier, currentAttribute, attributeReference, attributeIndex } = request;
  const object = objectFor(context, uniqueIdentifier, "DeleteAttribute");
  const property = currentAttribute ? propertyOf(currentAttribute) : referenced(attributeReference);
  const vendor = currentAttribute?.vendorAttributes?.[0] ?? vendorOf(attributeReference);
  checkDelete(context.subject, object, property, context.now, vendor);
  const gone = currentAttribute
    ? [valued(object, property, vendor, currentAttribute)]
    : context.version.major < 2
      ? [indexed(object, property, vendor, attributeIndex)]
      : instancesOf(object, property, vendor);
  const [first] = gone;
  if (!first) throw new KmipError("AttributeNotFound", "The object has no such attribute");
  const many = isRepeated(property, object.attributes[property]);
  const { newAttribute: answer } = answered(property, first.value, many, many ? first.index : attributeIndex);
  removeInstances(object, property, gone, vendor);
  return { ...saved(object, {}, context), currentAttribute: answer };
};

/** Adjust Attribute (KMIP 2.1 §6.1.3): a number up or down, or a Boolean to its opposite. */
const adjustAttribute: Handler<"AdjustAttribute"> = (request, context) => {
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
  // The numbers that clients may change are Intervals: 32 bits, no sign.
  if (typeof next === "number" && (next > 0xffff_ffff || next < 0))
    throw new KmipError("NumericRange", "The attribute would be out of its range");
  const change = { [attributeReference]: next } as Attributes;
  checkChange(context.subject, object, change, context.now);
  row[attributeReference] = next;
  return saved(object, undefined, context);
};

/** The attribute as 1.x is answered: one of several with the index of its instance, the others with one that was named. */
function answered(
  property: Property,
  value: unknown,
  many: boolean,
  index: number | undefined,
): { newAttribute: Attributes } {
  if (property === "vendorAttributes")
    return {
      newAttribute: { vendorAttributes: [{ ...(value as VendorAttribute), attributeIndex: index }] },
    };
  const indexes = index === undefined ? {} : { attributeIndex: { [property]: [index] } };
  return { newAttribute: { [property]: many ? [value] : value, ...indexes } as Attributes };
}

function severalValues(): KmipError {
  return new KmipError("MultiValuedAttribute", "The attribute has several values");
}

/** The name of the one attribute that a request holds. */
function propertyOf(attributes: Attributes | undefined): Property {
  const [property, ...more] = Object.keys(attributes ?? {}).filter(
    (key) => key !== "attributeIndex",
  ) as Property[];
  const value = property && attributes?.[property];
  if (property === undefined || more.length > 0 || (isRepeated(property, value) && value.length !== 1))
    throw new KmipError("InvalidMessage", "One attribute at a time");
  return property;
}

/** The one attribute of a request, if it may be changed on the object. `named` is the index that it names. */
function changeOf(
  identifier: UniqueIdentifier | undefined,
  change: Attributes = {},
  operation: string,
  context: Context,
) {
  const property = propertyOf(change);
  const object = objectFor(context, identifier, operation);
  checkReach(change, context);
  checkChange(context.subject, object, change, context.now);
  const given: unknown = change[property];
  const many = isRepeated(property, given);
  const one: unknown = bare(many ? given[0] : given);
  const value = property === "usageLimits" ? unused(one as UsageLimits) : one;
  const vendor = property === "vendorAttributes" ? (value as VendorAttribute) : undefined;
  const indexes = change.attributeIndex as Record<string, (number | undefined)[]> | undefined;
  const named = vendor ? change.vendorAttributes?.[0]?.attributeIndex : indexes?.[property]?.[0];
  return { object, property, value, many, vendor, named };
}

/**
 * A ticket for certain objects reaches no others by way of an attribute: whether a name is free is told by all the owner's
 * objects, and a link names another one.
 */
function checkReach({ name, link }: Attributes, { objects }: Asker): void {
  if (!objects) return;
  const linked = link?.every(
    ({ linkedObjectIdentifier: uid }) => typeof uid === "string" && objects.has(uid),
  );
  if (name || linked === false) throw new KmipError("NotAuthorised", "The ticket is not for other objects");
}

/** The value without the index that a message of 1.x may carry in it. */
function bare(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("attributeIndex" in value)) return value;
  const { attributeIndex: _, ...others } = value;
  return others;
}

/** The instance of that index; without one that of index 0 (KMIP 1.4 §2.1.1 Attribute). */
function indexed(
  object: ManagedObject,
  property: Property,
  vendor: VendorName | undefined,
  named = 0,
): Instance {
  return found(object, property, vendor, ({ index }) => index === named);
}

/** The instance that has the value of the request's Current Attribute. */
function valued(
  object: ManagedObject,
  property: Property,
  vendor: VendorName | undefined,
  current: Attributes,
): Instance {
  if (propertyOf(current) !== property) throw new KmipError("InvalidMessage", "Current is another attribute");
  const given: unknown = current[property];
  const wanted = comparable(property, isRepeated(property, given) ? given[0] : given);
  if (vendor && !isOf(vendor, wanted))
    throw new KmipError("PermissionDenied", "A vendor attribute does not become another");
  return found(object, property, vendor, ({ value }) =>
    isDeepStrictEqual(comparable(property, value), wanted),
  );
}

/** The value as it is compared with another one: usage limits with the Count that a client may leave out. */
function comparable(property: Property, value: unknown): unknown {
  return property === "usageLimits" ? counted(value as UsageLimits) : bare(value);
}

/** The only instance: of several, 2.x says which by Current Attribute. */
function only(object: ManagedObject, property: Property, vendor: VendorName | undefined): Instance {
  const { length } = instancesOf(object, property, vendor);
  if (length > 1) throw severalValues();
  return found(object, property, vendor, () => true);
}

function found(
  object: ManagedObject,
  property: Property,
  vendor: VendorName | undefined,
  isWanted: (instance: Instance) => boolean,
): Instance {
  const instances = instancesOf(object, property, vendor);
  if (instances.length === 0) throw new KmipError("AttributeNotFound", "The object has no such attribute");
  const instance = instances.find(isWanted);
  if (!instance) throw new KmipError("AttributeInstanceNotFound", "The attribute has no such instance");
  return instance;
}

function referenced(reference: AttributeReference | undefined): Property {
  if (reference === undefined) throw new KmipError("InvalidMessage", "No attribute is named");
  if (typeof reference === "string") return reference;
  if (vendorOf(reference)) return "vendorAttributes";
  throw new KmipError("AttributeNotFound", "The object has no such attribute");
}

function vendorOf(reference: AttributeReference | undefined): VendorName | undefined {
  return typeof reference === "object" && "vendorIdentification" in reference ? reference : undefined;
}

function saved(object: ManagedObject, answer: { newAttribute?: Attributes } | undefined, context: Context) {
  const { attributes } = object;
  if (isDestroyed(object)) throw new KmipError("ObjectDestroyed", "The object was destroyed");
  checkKept(context.work.known(object.uid), object, context.work);
  checkDates(attributes);
  checkNames(context, object);
  attributes.lastChangeDate = context.now;
  if (attributes.sensitive === false) attributes.alwaysSensitive = false;
  if (attributes.extractable === true) attributes.neverExtractable = false;
  context.work.put(object);
  return { uniqueIdentifier: object.uid, ...answer };
}

export const AddAttribute: Operation<"AddAttribute"> = {
  handler: addAttribute,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "ADD_ATTRIBUTE",
  shared: false,
};

export const ModifyAttribute: Operation<"ModifyAttribute"> = {
  handler: modifyAttribute,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "MODIFY_ATTRIBUTE",
  shared: false,
};

export const SetAttribute: Operation<"SetAttribute"> = {
  handler: setAttribute,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "SET_ATTRIBUTE",
  shared: false,
};

export const AdjustAttribute: Operation<"AdjustAttribute"> = {
  handler: adjustAttribute,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "ADJUST_ATTRIBUTE",
  shared: false,
};

export const DeleteAttribute: Operation<"DeleteAttribute"> = {
  handler: deleteAttribute,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "DELETE_ATTRIBUTE",
  shared: false,
};
