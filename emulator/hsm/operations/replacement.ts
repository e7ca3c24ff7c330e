import { isPolicy, POLICY } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { checkReplacing } from "../policy/access.ts";
import { admitAttributes } from "../policy/admission.ts";
import { withRequirements } from "../policy/attestation.ts";
import { classOf } from "../policy/classes.ts";
import { isRestricted } from "../policy/roles.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { instancesOf, removeInstances } from "./attribute-instances.ts";
import type { Asker, Clock, Context, Store } from "./context.ts";
import { addLink } from "./links.ts";
import { checkSettable } from "./new-object.ts";

/** What Re-key and Re-key Key Pair have in common (KMIP 2.1 §6.1.46 Re-key, tables of attribute requirements). */

/** Of the policy, who may use a key and for what goes over to its successor; what was verified of the old key does not. */
const PASSED_ON: ReadonlySet<string> = new Set([POLICY.users, POLICY.signType]);

/** Attributes that do not go over to the replacement: they describe the life of the old object, or of its value. */
const LEFT_BEHIND: ReadonlySet<string> = new Set([
  "alwaysSensitive",
  "archiveDate",
  "compromiseDate",
  "compromiseOccurrenceDate",
  "destroyDate",
  "digest",
  "fresh",
  "initialDate",
  "lastChangeDate",
  "leaseTime",
  "link",
  "neverExtractable",
  "originalCreationDate",
  "protectionStorageMask",
  "randomNumberGenerator",
  "revocationReason",
  // Some go over, one by one.
  "vendorAttributes",
]);

/** Throws for an object that is not replaced: of the key hierarchy, or of an identity that makes nothing else. */
export function checkReplaceable(object: ManagedObject, { subject }: Asker): void {
  if (isRestricted(subject.role)) throw new KmipError("PermissionDenied", "Not allowed for this identity");
  if (classOf(object.attributes))
    throw new KmipError("PermissionDenied", "A key of the hierarchy has no replacement");
}

/** The attributes of the replacement: those of the old object, with the request's in their place; names add up (TC-REKEY-1). */
export function replacementAttributes(
  object: ManagedObject,
  request: Attributes = {},
  offset: number | undefined,
  context: Context,
): Attributes {
  checkReplacing(context.subject, object, { ...request, offset });
  checkSettable(request);
  admitAttributes(context.subject, "ReKey", object.objectType, request);
  const { attributes } = object;
  const kept = Object.fromEntries(Object.entries(attributes).filter(([name]) => !LEFT_BEHIND.has(name)));
  const vendorAttributes = [
    ...(attributes.vendorAttributes ?? []).filter(
      (one) => !isPolicy(one) || PASSED_ON.has(one.attributeName),
    ),
    ...(request.vendorAttributes ?? []),
  ];
  return withRequirements([object], {
    ...kept,
    ...replacementDates(attributes, offset, context.now),
    ...request,
    ...((attributes.name ?? request.name) ? { name: names(attributes.name, request.name) } : {}),
    ...(vendorAttributes.length > 0 ? { vendorAttributes } : {}),
  });
}

function names(old: Attributes["name"] = [], more: Attributes["name"] = []) {
  const has = new Set(old.map(({ nameValue }) => nameValue));
  return [...old, ...more.filter(({ nameValue }) => !has.has(nameValue))];
}

/**
 * With an offset, the replacement is activated so long (s) from now, and its other dates keep their distance to that.
 * Without one, and where there is no activation date to measure from, it has those of the old object (KMIP 1.4 §4.4 Re-key: they
 * "are copied from the existing key").
 */
export function replacementDates(
  { activationDate, ...others }: Attributes,
  offset: number | undefined,
  now: Date,
): Attributes {
  if (offset === undefined) return {};
  const start = new Date(now.getTime() + offset * 1000);
  if (!activationDate) return { activationDate: start };
  const moved = (date: Date | undefined) =>
    date && new Date(date.getTime() - activationDate.getTime() + start.getTime());
  return {
    activationDate: start,
    processStartDate: moved(others.processStartDate),
    protectStopDate: moved(others.protectStopDate),
    deactivationDate: moved(others.deactivationDate),
  } as Attributes;
}

/** The old object gives its name away, before the replacement is put. */
export function giveAwayName(object: ManagedObject, { work, now }: Clock & Store): void {
  removeInstances(object, "name", instancesOf(object, "name"));
  object.attributes.lastChangeDate = now;
  work.put(object);
}

/** Links both to each other. */
export function linkReplacement(old: ManagedObject, next: ManagedObject, context: Context): void {
  addLink(old, "ReplacementObjectLink", next.uid, context, { only: true });
  addLink(next, "ReplacedObjectLink", old.uid, context, { only: true });
}
