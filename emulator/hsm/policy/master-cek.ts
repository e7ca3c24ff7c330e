import { type KeyClass, POLICY, policyAttribute, USAGE } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import type { Subject } from "./access.ts";
import { CLASSES, classOf } from "./classes.ts";
import { isSuccessorOf } from "./succession.ts";

/**
 * Content-encryption keys under a key of the hierarchy, each of one private half. Under a master key that is a pair: the private half of an account's pair is longer than an RSA key
 * encrypts (RFC 8017 §7.1.1), so it stands under an AES key, and that under the master key, as in CMS (RFC 5652 §6). Such a key is
 * made here for one private half, or comes back to open it; it wraps and opens nothing else, and lasts no longer than a batch. Under an
 * account key: the private half of a pair that signs is under one too, which comes to an instance as data keys do, and opens it there.
 */

/** Milliseconds. */
const LIFE_MS = 60_000;

/** Whether the key that is asked for under this parent is one: a key that wraps, and does nothing else. */
export function isCekOrder(
  { cryptographicUsageMask: uses = [] }: Attributes,
  parent: ManagedObject,
): boolean {
  const has = isPairOfMaster(parent) || classOf(parent.attributes) === "account";
  return has && uses.length === 1 && uses[0] === "WrapKey";
}

/** Whether keys of the class are for one private half below them: a key of a signing pair is one too. */
export function isCek(keyClass: KeyClass | undefined): boolean {
  return keyClass === "master-cek" || keyClass === "signing";
}

/** One that is made wraps, one that comes back unwraps; each ends by itself. */
export function cekAttributes(attributes: Attributes, use: "WrapKey" | "UnwrapKey", now: Date): Attributes {
  return {
    ...attributes,
    cryptographicUsageMask: [use],
    deactivationDate: new Date(now.getTime() + LIFE_MS),
  };
}

/** Whether what comes back under this parent is one of a signing pair: a data key, which stands there likewise, unwraps nothing. */
export function isSigningCek(
  { cryptographicUsageMask: uses = [] }: Attributes,
  parent: ManagedObject,
): boolean {
  const allowed: readonly unknown[] = USAGE.signing;
  const isCek = uses.length > 0 && uses.every((use) => allowed.includes(use));
  return isCek && classOf(parent.attributes) === "account";
}

/** The key that it is under, which is the parent of what it opens. */
export function keyAbove(cek: ManagedObject, work: Work): ManagedObject {
  const above = work.get(policyAttribute(cek.attributes, POLICY.parent) ?? "");
  if (!above) return refuse("The key above it is gone");
  return above;
}

/** Throws unless `cek` may wrap this: the private half of an account key below its master key, or below the one that this has replaced. */
export function checkMasterCekWraps(
  subject: Subject,
  cek: ManagedObject,
  object: ManagedObject,
  work: Work,
): void {
  if (object.objectType !== "PrivateKey" || classOf(object.attributes) !== "account")
    refuse("It wraps private halves of account keys only");
  const parent = policyAttribute(object.attributes, POLICY.parent);
  const master = keyAbove(cek, work);
  if (parent === master.uid) return;
  if (!CLASSES.master.unwrapsFor.includes(subject.role) || !isSuccessorOf(master, parent, work))
    refuse("It wraps what is below its own master key only");
}

/** Throws unless `cek` may wrap this: the private half of a pair that signs, below the same account key. */
export function checkSigningWraps(cek: ManagedObject, object: ManagedObject): void {
  const isPair = object.objectType === "PrivateKey" && classOf(object.attributes) === "signature";
  const parent = policyAttribute(cek.attributes, POLICY.parent);
  if (!isPair || policyAttribute(object.attributes, POLICY.parent) !== parent)
    refuse("It wraps private halves of pairs that sign, of its own account");
}

function isPairOfMaster({ objectType, attributes }: ManagedObject): boolean {
  return objectType === "PrivateKey" && classOf(attributes) === "master";
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
