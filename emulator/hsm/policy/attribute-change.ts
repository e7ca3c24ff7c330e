import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { type ManagedObject, stateAt } from "../managed-object.ts";
import { checkOwnersChange, type Subject } from "./access.ts";
import { admitAttributes, admitOfficers } from "./admission.ts";
import { ATTESTATION, isTighter } from "./attestation.ts";
import { classOf, VENDOR } from "./classes.ts";

/** Which attributes a client may change once an object is there: these only tighten, or say nothing of security. */

/** Attributes that clients may delete (KMIP 2.1 §4, "Deletable by client"). */
const DELETABLE: ReadonlySet<string> = new Set([
  "name",
  "cryptographicParameters",
  "objectGroup",
  "applicationSpecificInformation",
  "contactInformation",
  "link",
  "alternativeName",
  "comment",
  "description",
  "vendorAttributes",
  "usageLimits",
  "operationPolicyName",
  "deactivationDate",
  "protectStopDate",
  "processStartDate",
]);

const CHANGEABLE: ReadonlySet<string> = new Set([
  ...DELETABLE,
  "activationDate",
  "cryptographicUsageMask",
  "sensitive",
  "extractable",
  "digitalSignatureAlgorithm",
  "leaseTime",
  "protectionLevel",
  "protectionPeriod",
  "quantumSafe",
]);

/** Of a key of the hierarchy only what its owner calls it, and (the officer) who uses it. */
const CHANGEABLE_IN_HIERARCHY: ReadonlySet<string> = new Set([
  "name",
  "comment",
  "description",
  "contactInformation",
  "vendorAttributes",
]);

/** Throws unless `change` (new values) may be written on the object. */
export function checkChange(subject: Subject, object: ManagedObject, change: Attributes, now: Date): void {
  const { attributes, objectType } = object;
  checkNamed(object, Object.keys(change), CHANGEABLE);
  for (const property of Object.keys(change)) checkOwnersChange(subject, object, property);
  admitAttributes(subject, "Attribute", objectType, change);
  if (attributes.sensitive && change.sensitive === false) refuse("Sensitive stays");
  if (attributes.extractable === false && change.extractable) refuse("What cannot leave stays");
  const state = stateAt(object, now);
  if (change.activationDate && state !== "PreActive")
    throw new KmipError("WrongKeyLifecycleState", "The object was activated already");
  if (change.deactivationDate && state !== "PreActive" && state !== "Active")
    throw new KmipError("WrongKeyLifecycleState", "The object was deactivated already");
}

/** Throws unless attributes of that name, and of these vendor attributes, may be deleted from the object. */
export function checkDelete(
  subject: Subject,
  object: ManagedObject,
  property: string,
  vendor?: { vendorIdentification: string; attributeName: string },
): void {
  checkNamed(object, [property], DELETABLE);
  checkOwnersChange(subject, object, property);
  if (vendor?.vendorIdentification !== VENDOR) return;
  if (subject.role !== "officer") refuse("Policy attributes are the officer's to change");
  // Without `Users` nobody but the owner uses the object, without `RecipientCA` it certifies nobody.
  admitOfficers(
    "Attribute",
    object.objectType,
    vendor.attributeName,
    vendor.attributeName === "Users" ? "" : "false",
  );
  if (classOf(object.attributes)) refuse("Set Users to nobody instead");
}

/**
 * Throws where a change took away or altered what policy says of the object, whichever way it was asked for. `Users` may
 * change, and vanish outside the hierarchy; `RecipientCA` may be switched off; the rest stays as it was set once.
 */
export function checkKept(before: ManagedObject, after: ManagedObject): void {
  const [was, is] = [policiesOf(before), policiesOf(after)];
  const hierarchy = classOf(before.attributes) !== undefined;
  for (const [name, value] of was) {
    const now = is.get(name);
    if (now === value) continue;
    if (name === "Users" && (now !== undefined || !hierarchy)) continue;
    if (name === ATTESTATION && now !== undefined && isTighter(String(value), String(now))) continue;
    if (name === "RecipientCA" && (now === undefined || now === "false")) continue;
    refuse(`${name} stays`);
  }
  if (is.has(ATTESTATION) && hierarchy) refuse("The hierarchy's own policy releases its keys");
  if (is.has("Tenant") && !was.has("Tenant") && classOf(before.attributes) !== "master")
    refuse("Only a master key is given a tenant");
}

/** Policy attributes by name; one that is there twice would have two readings. */
function policiesOf({ attributes }: ManagedObject): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const { vendorIdentification, attributeName, attributeValue } of attributes.vendorAttributes ?? []) {
    if (vendorIdentification !== VENDOR) continue;
    if (found.has(attributeName)) refuse("A policy attribute twice");
    found.set(attributeName, attributeValue);
  }
  return found;
}

function checkNamed(object: ManagedObject, properties: string[], allowed: ReadonlySet<string>): void {
  const hierarchy = classOf(object.attributes) !== undefined;
  for (const property of properties) {
    if (property === "attributeIndex") continue;
    if (!allowed.has(property)) throw new KmipError("AttributeReadOnly", `${property} cannot be changed`);
    if (hierarchy && !CHANGEABLE_IN_HIERARCHY.has(property)) refuse("A key of the hierarchy stays as it is");
  }
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
