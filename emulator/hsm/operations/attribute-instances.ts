import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";

/**
 * The instances of an object's attributes and their indexes (KMIP 1.4 §2.1.1 Attribute): the first has 0, an instance keeps its
 * index until it is deleted, and no other gets it while the attribute has instances. 2.x has no indexes and keeps these.
 */

export type Property = keyof Attributes & string;
export interface VendorName {
  vendorIdentification: string;
  attributeName: string;
}

export interface Instance {
  value: unknown;
  index: number;
  /** Its place in the attribute's list. */
  at: number;
}

/** Masks are lists in our types and one value in the protocol. */
const MASKS: ReadonlySet<string> = new Set(["cryptographicUsageMask", "protectionStorageMask"]);

/** Whether the value is a list of instances. */
export function isRepeated(property: string, value: unknown): value is unknown[] {
  return Array.isArray(value) && !MASKS.has(property);
}

/** Instances that an attribute may have: each name is looked for among all others. Vendor attributes count together. */
const MAX_INSTANCES = 1000;
/** Links of one type that the server adds to an object; with them there are as many again of the client's. */
export const MAX_LINKS = 1000;

/** Throws where an object would have too many of one attribute. */
export function checkCount({ attributes }: Pick<ManagedObject, "attributes">): void {
  for (const [property, value] of Object.entries(attributes)) {
    const max = property === "link" ? MAX_INSTANCES + MAX_LINKS : MAX_INSTANCES;
    if (isRepeated(property, value) && value.length > max)
      throw new KmipError("InvalidField", `An object has ${max} values of ${property} at most`);
  }
}

export function isOf({ vendorIdentification, attributeName }: VendorName, one: unknown): boolean {
  const other = one as VendorName;
  return vendorIdentification === other.vendorIdentification && attributeName === other.attributeName;
}

/** The instances of an attribute, in the order of their indexes; of a vendor attribute those of that name. */
export function instancesOf(object: ManagedObject, property: Property, vendor?: VendorName): Instance[] {
  const value: unknown = object.attributes[property];
  if (value === undefined) return [];
  if (!isRepeated(property, value)) return [{ value, index: 0, at: 0 }];
  const found = value
    .map((one, at) => ({ value: one, at }))
    .filter(({ value: one }) => vendor === undefined || isOf(vendor, one));
  return indexed(object, keyOf(property, vendor), found);
}

/** Adds an instance and returns its index. */
export function addInstance(
  object: ManagedObject,
  property: Property,
  value: unknown,
  vendor?: VendorName,
): number {
  const instances = instancesOf(object, property, vendor);
  const key = keyOf(property, vendor);
  const indexes = instances.map(({ index }) => index);
  const index = Math.max(nextAfter(indexes), object.indexes?.[key]?.next ?? 0);
  const row = object.attributes as Record<string, unknown>;
  row[property] = [...((row[property] as unknown[] | undefined) ?? []), value];
  keep(object, key, [...indexes, index], index + 1);
  return index;
}

/** Replaces the value of an instance, which keeps its index. */
export function changeInstance(
  object: ManagedObject,
  property: Property,
  { at }: Instance,
  value: unknown,
): void {
  const row = object.attributes as Record<string, unknown>;
  const held = row[property];
  row[property] = isRepeated(property, held) ? held.with(at, value) : value;
}

/** Deletes instances; those that are left keep their indexes. */
export function removeInstances(
  object: ManagedObject,
  property: Property,
  gone: readonly Instance[],
  vendor?: VendorName,
): void {
  const row = object.attributes as Record<string, unknown>;
  const key = keyOf(property, vendor);
  const instances = instancesOf(object, property, vendor);
  const places = new Set(gone.map(({ at }) => at));
  const left = instances.filter(({ at }) => !places.has(at)).map(({ index }) => index);
  const next = Math.max(nextAfter(instances.map(({ index }) => index)), object.indexes?.[key]?.next ?? 0);
  const held = row[property];
  const others = isRepeated(property, held) ? held.filter((_, at) => !places.has(at)) : [];
  row[property] = others.length > 0 ? others : undefined;
  keep(object, key, left, next);
}

/** The attributes with the indexes of their instances, where those are not their positions. */
export function withIndexes(object: ManagedObject): Attributes {
  const { attributeIndex: _, ...attributes } = object.attributes;
  if (object.indexes === undefined) return attributes;
  const attributeIndex: NonNullable<Attributes["attributeIndex"]> = {};
  for (const property of Object.keys(object.indexes))
    if (isRepeated(property, (attributes as Record<string, unknown>)[property]))
      Object.assign(attributeIndex, {
        [property]: instancesOf(object, property as Property).map(({ index }) => index),
      });
  const vendorAttributes = attributes.vendorAttributes?.map((one, at) => {
    if (object.indexes?.[keyOf("vendorAttributes", one)] === undefined) return one;
    const instance = instancesOf(object, "vendorAttributes", one).find((each) => each.at === at);
    return { ...one, attributeIndex: instance?.index };
  });
  return { ...attributes, ...(vendorAttributes ? { vendorAttributes } : {}), attributeIndex };
}

function keyOf(property: Property, vendor: VendorName | undefined): string {
  return vendor ? JSON.stringify([vendor.vendorIdentification, vendor.attributeName]) : property;
}

/** Instances with their indexes: those that are kept, and the next ones for what has none. */
function indexed<T>(object: ManagedObject, key: string, found: readonly T[]): (T & { index: number })[] {
  const held = (object.indexes?.[key]?.held ?? []).slice(0, found.length);
  let next = Math.max(nextAfter(held), object.indexes?.[key]?.next ?? 0);
  return found.map((one, i) => ({ ...one, index: held[i] ?? next++ }));
}

function nextAfter(indexes: readonly number[]): number {
  return Math.max(-1, ...indexes) + 1;
}

/** Kept only where it says more than the positions do. */
function keep(object: ManagedObject, key: string, held: number[], next: number): void {
  const { [key]: _former, ...others } = object.indexes ?? {};
  const plain = held.length === 0 || (held.every((index, at) => index === at) && next === held.length);
  const indexes = plain ? others : { ...others, [key]: { held, next } };
  if (Object.keys(indexes).length > 0) object.indexes = indexes;
  else delete object.indexes;
}
