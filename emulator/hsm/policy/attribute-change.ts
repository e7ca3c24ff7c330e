import { isPolicy, POLICY } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { type ManagedObject, stateAt } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import { isOwner, type Subject } from "./access.ts";
import { admitAttributes, admitOfficers } from "./admission.ts";
import { isTighter } from "./attestation.ts";
import { ATTRIBUTE_RULES, type AttributeRule, TIGHTENS, type When } from "./attribute-rules.ts";
import { classOf } from "./classes.ts";
import { checkMayRecover } from "./recovery.ts";
import { checkLimitsChange, checkUsageLimits, leftOf } from "./usage-limits.ts";

/** Whether a client may change an attribute of an existing object: the rules are data (`attribute-rules.ts`). */

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
  const properties = changed(change);
  checkNamed(subject, object, properties);
  for (const property of properties) {
    const rule = ruleOf(property);
    checkOthers(subject, object, rule, property, change);
    // A mask that the owner gives a key which has none is as if it had come with the key (TC-CS-CORVAL-1).
    const missing = property === "cryptographicUsageMask" && object.attributes[property] === undefined;
    if (rule.direction && !missing && !tightens(object, property, change))
      refuse(`${property} only tightens`);
    checkWhen(object, rule.modify, property, now);
  }
  admitAttributes(subject, "Attribute", object.objectType, change);
  checkUsageLimits(change);
  checkLimitsChange(object.attributes.usageLimits, change);
}

/** Others than its owner only tighten an object, whatever its operation policy lets them do. */
function checkOthers(
  subject: Subject,
  object: ManagedObject,
  { others }: AttributeRule,
  property: Property,
  change: Attributes,
): void {
  if (isOwner(subject, object) || others === "free") return;
  if (others === "nothing") refuse("This is the owner's to say");
  if (!tightens(object, property, change)) refuse(`Others than the owner only tighten ${property}`);
}

function tightens({ attributes }: ManagedObject, property: Property, change: Attributes): boolean {
  const rule = TIGHTENS[property] as ((before: unknown, after: unknown) => boolean) | undefined;
  return rule?.(attributes[property], change[property]) ?? false;
}

/** KMIP 2.1 §4, "Modifiable by client": what has begun or ended is not moved. */
function checkWhen(object: ManagedObject, when: When | undefined, property: Property, now: Date): void {
  const { attributes } = object;
  const state = stateAt(object, now);
  const current = attributes[property];
  const { usageLimits } = attributes;
  const used = usageLimits !== undefined && leftOf(usageLimits) !== usageLimits.usageLimitsTotal;
  if (when === "always" || (when === "unused" && !used)) return;
  if (when === undefined || when === "unused") throw new KmipError("AttributeReadOnly", `${property} stays`);
  const lives = state === "PreActive" || (state === "Active" && when !== "pre-active");
  const reached = when === "until-reached" && current instanceof Date && current <= now;
  if (!lives || reached)
    throw new KmipError(
      "WrongKeyLifecycleState",
      `${property} is not changed in the state ${state}, or once reached`,
    );
}

/** Throws unless attributes of that name, and of these vendor attributes, may be deleted from the object. */
export function checkDelete(
  subject: Subject,
  object: ManagedObject,
  property: string,
  now: Date,
  vendor?: { vendorIdentification: string; attributeName: string },
): void {
  const rule = ATTRIBUTE_RULES[property as Property];
  if (!rule?.delete) throw new KmipError("AttributeReadOnly", `${property} cannot be deleted`);
  checkNamed(subject, object, [property as Property]);
  if (!isOwner(subject, object) && rule.others !== "free") refuse("This is the owner's to say");
  checkWhen(object, rule.delete, property as Property, now);
  if (!vendor || !isPolicy(vendor)) return;
  if (subject.role !== "officer") refuse("Policy attributes are the officer's to change");
  // Without `Users` nobody but the owner uses the object, without `RecipientCA` it certifies nobody.
  admitOfficers(
    "Attribute",
    object.objectType,
    vendor.attributeName,
    vendor.attributeName === POLICY.users ? "" : "false",
  );
  if (classOf(object.attributes)) refuse("Set Users to nobody instead");
}

/**
 * Throws where a change took away or altered what policy says of the object, whichever way it was asked for. `Users` may
 * change, and vanish outside the hierarchy; `RecipientCA` may be switched off; the rest stays as it was set once.
 */
export function checkKept(before: ManagedObject, after: ManagedObject, work: Work): void {
  const [was, is] = [policiesOf(before), policiesOf(after)];
  const hierarchy = classOf(before.attributes) !== undefined;
  for (const [name, value] of was) {
    const now = is.get(name);
    if (now === value) continue;
    if (name === POLICY.users && (now !== undefined || !hierarchy)) continue;
    if (name === POLICY.attestation && now !== undefined && isTighter(String(value), String(now))) continue;
    // The officer allows operations and forbids them again: each asks for it anew.
    if (name === POLICY.operations && now !== undefined) continue;
    if (name === POLICY.recipientAuthority && (now === undefined || now === "false")) continue;
    refuse(`${name} stays`);
  }
  if (is.has(POLICY.attestation) && hierarchy) refuse("The hierarchy's own policy releases its keys");
  if (is.has(POLICY.operations) && classOf(before.attributes) !== "master")
    refuse("A master key alone says whether there are operations below it");
  if (is.has(POLICY.tenant) && !was.has(POLICY.tenant) && classOf(before.attributes) !== "master")
    refuse("Only a master key is given a tenant");
  if (is.has(POLICY.recovery) && !was.has(POLICY.recovery))
    checkMayRecover(before, String(is.get(POLICY.recovery)), work);
}

/** Policy attributes by name; a duplicate would have two readings. */
function policiesOf({ attributes }: ManagedObject): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const { attributeName, attributeValue } of attributes.vendorAttributes?.filter(isPolicy) ?? []) {
    if (found.has(attributeName)) refuse("A policy attribute twice");
    found.set(attributeName, attributeValue);
  }
  return found;
}

type Property = keyof Attributes;

function changed(change: Attributes): Property[] {
  return (Object.keys(change) as Property[]).filter((property) => property !== "attributeIndex");
}

function ruleOf(property: Property): AttributeRule {
  const rule = Object.hasOwn(ATTRIBUTE_RULES, property) && ATTRIBUTE_RULES[property];
  if (!rule) throw new KmipError("AttributeReadOnly", `${property} cannot be changed`);
  return rule;
}

function checkNamed(subject: Subject, object: ManagedObject, properties: Property[]): void {
  const keyClass = classOf(object.attributes);
  // When a master key goes out of use the officer, who made it, says; at once it is by Revoke.
  const ends = keyClass === "master" && subject.role === "officer" && isOwner(subject, object);
  for (const property of properties) {
    ruleOf(property);
    if (keyClass === undefined || CHANGEABLE_IN_HIERARCHY.has(property)) continue;
    if (!(ends && property === "deactivationDate")) refuse("A key of the hierarchy stays as it is");
  }
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
