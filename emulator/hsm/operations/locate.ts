import { isDeepStrictEqual } from "node:util";
import { seconds } from "#protocol/clock.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { canSee, visibleEntries } from "../policy/access.ts";
import { isDestroyed, type ManagedObject } from "../store/managed-object.ts";
import type { IndexEntry } from "../store/store-index.ts";
import { clientAttributes } from "./client-attributes.ts";
import type { Handler } from "./handler.ts";
import type { Operation } from "./operation.ts";

/**
 * Locate (KMIP 2.1 §6.1.28): the objects that the asker can see and that match all the attributes. The index finds
 * candidates, the sealed objects decide. Newest first, as the test cases have it (TC-OFFSET-1).
 */
const locate: Handler<"Locate"> = async (request, context) => {
  const { work, subject, now, references, holder } = context;
  const { maximumItems, offsetItems = 0, attributes, storageStatusMask, objectGroupMember } = request;
  if ((maximumItems ?? 0) < 0 || offsetItems < 0)
    throw new KmipError("InvalidField", "Not a number of items");
  checkPattern(attributes);
  const found: string[] = [];
  const visible = visibleEntries(subject);
  for (const uid of candidates(attributes, (entries) => work.find(entries, visible)).reverse()) {
    if (context.objects?.has(uid) === false) continue;
    context.spend(COST);
    const over = context.turnOver();
    if (over) await over;
    const object = work.get(uid);
    if (!object || !canSee(subject, object) || !isStored(object, storageStatusMask)) continue;
    if (objectGroupMember === "GroupMemberFresh" && object.attributes.fresh !== true) continue;
    // What names no policy has the default one (KMIP 1.4 §3.18 Operation Policy Name).
    const told: Attributes = { operationPolicyName: "default", ...clientAttributes(object, now) };
    if (matches(told, attributes)) found.push(uid);
  }
  const [group] = attributes.objectGroup ?? [];
  if (objectGroupMember === "GroupMemberDefault" && group !== undefined)
    found.splice(0, found.length, ...context.groups.inTurn(holder, group, found.reverse()));
  const page = found.slice(offsetItems, maximumItems === undefined ? undefined : offsetItems + maximumItems);
  // The placeholder is set where the answer is one object (KMIP 2.1 §6.1.28 Locate).
  const [first, ...others] = page;
  if (first !== undefined && others.length === 0) references.set(first, "Locate");
  else references.clearPlaceholder();
  return { ...(offsetItems > 0 ? { locatedItems: found.length } : {}), uniqueIdentifier: page };
};

/** Units of work (`HeavyWork`) that an object costs which is looked at. */
const COST = 10;
/** Values that a pattern may have of one attribute. */
const MAX_VALUES = 64;

/** Each value is looked for in the index, and compared with all those of an object. */
function checkPattern(pattern: Attributes): void {
  if (Object.values(pattern).some((value) => Array.isArray(value) && value.length > MAX_VALUES))
    throw new KmipError("InvalidField", "Too many values of one attribute");
}

type Find = (entries: readonly IndexEntry[]) => string[];

function candidates(pattern: Attributes, find: Find): string[] {
  if (pattern.uniqueIdentifier !== undefined) return [pattern.uniqueIdentifier];
  const entries: IndexEntry[] = [];
  for (const { nameValue } of pattern.name ?? []) entries.push(["name", nameValue]);
  for (const group of pattern.objectGroup ?? []) entries.push(["objectGroup", group]);
  if (pattern.objectType !== undefined) entries.push(["objectType", String(pattern.objectType)]);
  if (pattern.cryptographicAlgorithm !== undefined)
    entries.push(["cryptographicAlgorithm", String(pattern.cryptographicAlgorithm)]);
  if (pattern.cryptographicLength !== undefined)
    entries.push(["cryptographicLength", String(pattern.cryptographicLength)]);
  return find(entries);
}

/** Destroyed objects are found only by those who ask for them. */
function isStored(object: ManagedObject, mask: readonly unknown[] | undefined): boolean {
  if (isDestroyed(object)) return mask?.includes("DestroyedStorage") ?? false;
  if (object.attributes.archiveDate) return mask?.includes("ArchivalStorage") ?? false;
  return mask === undefined || mask.includes("OnLineStorage");
}

/** Dates come as one instant or as two that bound a range. */
function matches(attributes: Attributes, { rangeEnd, attributeIndex: _, ...pattern }: Attributes): boolean {
  return Object.entries(pattern).every(([property, wanted]) => {
    if (wanted === undefined) return true;
    const value = (attributes as Record<string, unknown>)[property];
    if (value === undefined) return false;
    const end = (rangeEnd as Record<string, Date> | undefined)?.[property];
    if (end && value instanceof Date && wanted instanceof Date) return isWithin(value, wanted, end);
    if (property === "cryptographicUsageMask")
      return (wanted as unknown[]).every((use) => (value as unknown[]).includes(use));
    if (Array.isArray(wanted) && Array.isArray(value))
      return wanted.every((one) => value.some((other) => isLike(other, one)));
    return isLike(value, wanted);
  });
}

/** Both ends belong to the range (KMIP 2.1 §6.1.28 Locate), in whole seconds, in whichever order they come. */
function isWithin(value: Date, one: Date, other: Date): boolean {
  const [at, a, b] = [value, one, other].map((date) => seconds(date)) as [number, number, number];
  return Math.min(a, b) <= at && at <= Math.max(a, b);
}

/** Equal in all that the pattern says. */
function isLike(value: unknown, pattern: unknown): boolean {
  if (value instanceof Date && pattern instanceof Date) return seconds(value) === seconds(pattern);
  if (pattern instanceof Uint8Array && value instanceof Uint8Array)
    return Buffer.compare(value, pattern) === 0;
  if (typeof pattern !== "object" || pattern === null || typeof value !== "object" || value === null)
    return isDeepStrictEqual(value, pattern);
  return Object.entries(pattern).every(
    ([key, wanted]) => wanted === undefined || isLike((value as Record<string, unknown>)[key], wanted),
  );
}

export const Locate: Operation<"Locate"> = {
  handler: locate,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: ["kms", "ra", "iam", "audit"],
  ticket: "objects",
  policyName: "LOCATE",
  shared: true,
};
