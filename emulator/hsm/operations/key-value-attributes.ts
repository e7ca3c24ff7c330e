import { isDeepStrictEqual } from "node:util";
import { isPolicy } from "#protocol/hierarchy/index.ts";
import { type Attributes, type KeyBlock, KmipError } from "#protocol/kmip/index.ts";
import { ATTRIBUTE_RULES } from "../policy/attribute-rules.ts";
import { isRestricted } from "../policy/roles.ts";
import type { ObjectType, ObjectValue } from "../store/managed-object.ts";
import type { Asker } from "./context.ts";
import { checkNothingBeside } from "./key-wrapping.ts";
import { knownAttributes } from "./request-attributes.ts";

/**
 * Attributes in a Key Value (KMIP 1.4 §2.1.4): they differ from others "only by the fact that [they are] encapsulated
 * with (and possibly wrapped with) the key material". A wrapped Key Value was made by someone who knew the wrapping key, and
 * its importer need not know what is in it: it describes the key and may set what an owner may change later, but
 * neither who may use it nor its policy.
 */

/** What describes the key, beside what its owner may change. */
const DESCRIBING: ReadonlySet<string> = new Set([
  "objectType",
  "keyFormatType",
  "cryptographicAlgorithm",
  "cryptographicLength",
  "cryptographicDomainParameters",
]);

interface Opened {
  /** The attributes of the request and of the Key Value. */
  attributes: Attributes;
  /** The object without attributes in its Key Value: they are the object's now, and change with it. */
  object: ObjectValue;
}

/** Takes the attributes out of a Key Value. The caller admits what comes back as it does what a request says. */
export function withKeyValueAttributes(
  objectType: ObjectType,
  object: ObjectValue,
  attributes: Attributes,
  { subject, version }: Asker,
): Opened {
  const [kind, held] = (Object.entries(object) as [string, { keyBlock?: KeyBlock } | undefined][]).find(
    ([, value]) => value?.keyBlock,
  ) ?? ["", undefined];
  const block = held?.keyBlock;
  if (!block?.keyValue || block.keyValue instanceof Uint8Array || !block.keyValue.attributes)
    return { attributes, object };
  const { attributes: found, ...keyValue } = block.keyValue;
  if (isRestricted(subject.role)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
  if (block.keyWrappingData) checkNothingBeside(block.keyValue);
  const { objectType: type, keyFormatType: format, ...own } = knownAttributes(found, version);
  checkOwn({ objectType: type, keyFormatType: format, ...own });
  checkSame("objectType", type, objectType);
  checkSame("keyFormatType", format, block.keyFormatType);
  return {
    attributes: together(own, attributes),
    object: { ...object, [kind]: { ...held, keyBlock: { ...block, keyValue } } } as ObjectValue,
  };
}

function checkOwn({ extensions, ...attributes }: Attributes): void {
  if (extensions) throw new KmipError("InvalidField", "Not attributes that a Key Value can have");
  for (const [property, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    const may = DESCRIBING.has(property) || Object.hasOwn(ATTRIBUTE_RULES, property);
    if (!may || property === "operationPolicyName")
      throw new KmipError("ReadOnlyAttribute", `${property} is not set in a Key Value`);
  }
  if (attributes.vendorAttributes?.some(isPolicy))
    throw new KmipError("PermissionDenied", "Policy is not set in a Key Value");
}

/** Both together; what both say must be the same. Vendor attributes are compared by their names. */
function together(own: Attributes, request: Attributes): Attributes {
  const { vendorAttributes: vendors = [], ...others } = own;
  for (const [property, value] of Object.entries(others))
    checkSame(property, value, request[property as keyof Attributes]);
  const asked = request.vendorAttributes ?? [];
  const said = byName(asked);
  const more: typeof vendors = [];
  for (const [name, values] of byName(vendors)) {
    const same = said.get(name);
    if (same) checkSame(values[0]?.attributeName ?? "", values.map(itsValue), same.map(itsValue));
    else more.push(...values);
  }
  const vendorAttributes = [...asked, ...more];
  return { ...others, ...request, ...(vendorAttributes.length > 0 ? { vendorAttributes } : {}) };
}

type VendorAttribute = NonNullable<Attributes["vendorAttributes"]>[number];

const itsValue = ({ attributeValue }: VendorAttribute) => attributeValue;

function byName(attributes: readonly VendorAttribute[]): Map<string, VendorAttribute[]> {
  return Map.groupBy(attributes, ({ vendorIdentification, attributeName }) =>
    JSON.stringify([vendorIdentification, attributeName]),
  );
}

function checkSame(name: string, own: unknown, request: unknown): void {
  if (own !== undefined && request !== undefined && !isDeepStrictEqual(own, request))
    throw new KmipError("InvalidAttributeValue", `${name} is another in the Key Value than in the request`);
}
