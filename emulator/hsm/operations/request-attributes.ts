import {
  type Attributes,
  isAttributeOf,
  KmipError,
  type OperationName,
  type ProtocolVersion,
} from "#protocol/kmip/index.ts";
import { isRepeated } from "./attribute-instances.ts";

/** Fields of payloads with attributes for an object. */
export const FIELDS = [
  "attributes",
  "commonAttributes",
  "privateKeyAttributes",
  "publicKeyAttributes",
] as const;
const SINGLE = ["newAttribute", "currentAttribute"] as const;

/** Operations whose attributes are none of an object here: a pattern, or what a server tells. */
const OTHERS: ReadonlySet<string> = new Set<OperationName>(["Locate", "Notify", "Put"]);

/**
 * The attributes of a request of 1.x as the handlers take them: of names that the version knows or that are custom (a
 * misspelt one would be kept and never looked at), in the order of their indexes, which the server assigns again.
 */
export function withKnownAttributes<Payload>(
  operation: unknown,
  payload: Payload,
  version: ProtocolVersion,
): Payload {
  if (version.major >= 2 || OTHERS.has(String(operation))) return payload;
  const record = payload as Record<string, unknown>;
  for (const field of SINGLE) checkKnown(record[field] as Attributes | undefined, version);
  let filled = record;
  for (const field of FIELDS) {
    const attributes = record[field] as Attributes | undefined;
    if (!attributes) continue;
    checkKnown(attributes, version);
    filled = { ...filled, [field]: inOrder(attributes) };
  }
  const { template } = (record.object ?? {}) as { template?: { attributes?: Attributes } };
  if (template?.attributes) {
    checkKnown(template.attributes, version);
    filled = { ...filled, object: { template: { ...template, attributes: inOrder(template.attributes) } } };
  }
  return filled as Payload;
}

/** Attributes from elsewhere in a message, as handlers take them. */
export function knownAttributes(attributes: Attributes, version: ProtocolVersion): Attributes {
  checkKnown(attributes, version);
  return inOrder(attributes);
}

/** KMIP 1.4 §3.39 Custom Attribute: a name that the specification does not have begins with x- or y-. */
function checkKnown(attributes: Attributes | undefined, version: ProtocolVersion): void {
  for (const [property, value] of Object.entries(attributes ?? {}))
    if (value !== undefined && !isAttributeOf(property, version))
      throw new KmipError("UnsupportedAttribute", `${property} is no attribute of this protocol version`);
  for (const { vendorIdentification, attributeName } of attributes?.vendorAttributes ?? [])
    if (vendorIdentification === "")
      throw new KmipError(
        "UnsupportedAttribute",
        `${attributeName.slice(0, 64)} is no attribute: custom names begin with x-`,
      );
}

/** Instances in the order of the indexes that they come with, and no indexes. Throws for ones that cannot be. */
function inOrder({ attributeIndex, ...attributes }: Attributes): Attributes {
  const record = attributes as Record<string, unknown>;
  const ordered: Record<string, unknown> = { ...attributes };
  for (const [property, indexes] of Object.entries(attributeIndex ?? {})) {
    const value = record[property];
    if (isRepeated(property, value)) ordered[property] = sorted(value, indexes);
    else if (indexes.some((index) => index !== undefined && index !== 0))
      throw new KmipError("InvalidField", "The attribute has one instance, of index 0");
  }
  if (attributes.vendorAttributes) ordered.vendorAttributes = customInOrder(attributes.vendorAttributes);
  return ordered as Attributes;
}

type Custom = NonNullable<Attributes["vendorAttributes"]>;

function customInOrder(all: Custom): Custom {
  const named = (one: Custom[number]) => JSON.stringify([one.vendorIdentification, one.attributeName]);
  const byName = Map.groupBy(all, named);
  const next = new Map(
    [...byName].map(([name, group]) => [
      name,
      sorted(
        group,
        group.map(({ attributeIndex }) => attributeIndex),
      ),
    ]),
  );
  return all.map((one) => {
    const { attributeIndex: _, ...bare } = next.get(named(one))?.shift() ?? one;
    return bare;
  });
}

/** No index is below 0 and no two are the same; what names none comes in its place. A template may hold those before. */
function sorted<T>(values: readonly T[], indexes: readonly (number | undefined)[]): T[] {
  const said = indexes.filter((index) => index !== undefined);
  if (said.some((index) => index < 0 || index >= 2 ** 31 - 1) || new Set(said).size !== said.length)
    throw new KmipError("InvalidField", "Not indexes that attributes can have");
  return values
    .map((value, at) => ({ value, index: indexes[at] ?? at }))
    .sort((a, b) => a.index - b.index)
    .map(({ value }) => value);
}
