import { POLICY, policyAttribute, WORKING } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { isDestroyed, type ManagedObject, stateAt } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import { classOf, levelOf } from "./classes.ts";

/**
 * Rotation of a master key (W12): the officer makes its successor, with a link to the key that it replaces (KMIP 2.1 §4.31
 * Link, Replaced Object Link). Then account keys below the old key may be wrapped under the successor, and under nothing
 * else. Links of keys of the hierarchy never change, so what was checked here stays so.
 */

/**
 * The key that a new master key with these attributes replaces; undefined where it replaces none. Throws unless that is a
 * master key at work of the same tenant and level, which has no other successor.
 */
export function replacedBy(attributes: Attributes, work: Work, now: Date): ManagedObject | undefined {
  const links = attributes.link ?? [];
  if (links.length === 0) return undefined;
  const [link, ...others] = links;
  const linked = link?.linkType === "ReplacedObjectLink" ? link.linkedObjectIdentifier : undefined;
  if (others.length > 0 || typeof linked !== "string")
    return refuse("A master key has no link but to the one that it replaces");
  const old = work.get(linked);
  if (!old || !isSuccession(attributes, old)) return refuse("Not a master key of that tenant and level");
  if (stateAt(old, now) !== WORKING) refuse("The key that is replaced is not at work");
  if (successorsOf(old, work).length > 0) refuse("The key has a successor");
  return old;
}

/** Whether `key` is the one that took the place of the object with this identifier. */
export function isSuccessorOf(key: ManagedObject, replaced: string | undefined, work: Work): boolean {
  const linked = key.attributes.link?.find(({ linkType }) => linkType === "ReplacedObjectLink");
  if (replaced === undefined || linked?.linkedObjectIdentifier !== replaced) return false;
  const old = work.get(replaced);
  return old !== undefined && isSuccession(key.attributes, old);
}

function isSuccession(attributes: Attributes, old: ManagedObject): boolean {
  const tenant = policyAttribute(attributes, POLICY.tenant);
  return (
    classOf(attributes) === "master" &&
    classOf(old.attributes) === "master" &&
    tenant !== undefined &&
    tenant === policyAttribute(old.attributes, POLICY.tenant) &&
    levelOf(attributes) === levelOf(old.attributes)
  );
}

function successorsOf({ uid }: ManagedObject, work: Work): ManagedObject[] {
  return work
    .all([["link:ReplacedObjectLink", uid]])
    .filter((object) => !isDestroyed(object) && isSuccessorOf(object, uid, work));
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
