import { isPolicy } from "#protocol/hierarchy/index.ts";
import type { ManagedObject } from "./managed-object.ts";

/** A searchable fact about an object: what it is of, and its value as text. */
export type IndexEntry = readonly [tag: string, value: string];

/** Scalar attributes that Locate can look up by equality. States and dates move on by themselves and are not here. */
const SCALARS = [
  "cryptographicAlgorithm",
  "cryptographicLength",
  "certificateType",
  "operationPolicyName",
  "contactInformation",
  "opaqueDataType",
] as const;

/** The entries under which the store finds an object. Nothing of the object's value is among them. */
export function indexEntries({ owner, objectType, attributes }: ManagedObject): IndexEntry[] {
  const entries: IndexEntry[] = [
    ["owner", owner],
    ["objectType", String(objectType)],
  ];
  for (const scalar of SCALARS) {
    const value = attributes[scalar];
    if (value !== undefined) entries.push([scalar, String(value)]);
  }
  for (const { nameValue } of attributes.name ?? []) entries.push(["name", nameValue]);
  for (const group of attributes.objectGroup ?? []) entries.push(["objectGroup", group]);
  for (const { linkType, linkedObjectIdentifier } of attributes.link ?? [])
    entries.push([`link:${linkType}`, String(linkedObjectIdentifier)]);
  for (const { applicationNamespace, applicationData } of attributes.applicationSpecificInformation ?? [])
    entries.push([`application:${applicationNamespace}`, applicationData ?? ""]);
  for (const attribute of attributes.vendorAttributes ?? []) {
    const { vendorIdentification, attributeName, attributeValue } = attribute;
    if (typeof attributeValue !== "string") continue;
    if (isPolicy(attribute)) entries.push(policyEntry(attributeName, attributeValue));
    else entries.push([`vendor:${vendorIdentification}:${attributeName}`, attributeValue]);
  }
  return entries;
}

/** The entry of a policy attribute. */
export function policyEntry(name: string, value: string): IndexEntry {
  return [`policy:${name}`, value];
}

/** What many objects have in common, no matter who owns them. */
const COMMON: ReadonlySet<string> = new Set([...SCALARS, "objectType"]);

/** Whether few objects have such an entry. */
export function isSelective([tag]: IndexEntry): boolean {
  return !COMMON.has(tag);
}

/** The entry as one text, to compare it with others. */
export function entryKey([tag, value]: IndexEntry): string {
  return `${tag}\0${value}`;
}
