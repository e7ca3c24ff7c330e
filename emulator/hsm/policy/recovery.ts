import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { equalConstantTime } from "#protocol/bytes.ts";
import {
  encryptedMasterKeyName,
  isLive,
  POLICY,
  policy,
  policyAttribute,
} from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { privateKeyOf, publicKeyOf } from "../store/material.ts";
import { policyEntry } from "../store/store-index.ts";
import type { Work } from "../store/work.ts";
import { classOf, levelOf } from "./classes.ts";

/**
 * The strict variant of level `master` (docs/decisions/0037): the master key is destroyed in the HSM once its first instances
 * and a recovery recipient have it. For a further instance the officer brings the recovery key, and the KMS the master key
 * wrapped to it, which stays for a batch and goes to that instance's key, and nowhere else.
 */

/** How long a recovery key works at most, where the officer does not take it away before. Milliseconds. */
const CEREMONY_MS = 60 * 60_000;

const MIN_MODULUS = 3072;
/** How long a restored master key may be given out: the batch that brought it. Milliseconds. */
const RESTORED_MS = 60_000;

/** The attributes of a recovery key that the officer registers: it opens master keys of its tenant for one recipient, and does nothing else. */
export function recoveryAttributes(key: ManagedObject, now: Date): Attributes {
  const { attributes } = key;
  if (policyAttribute(attributes, POLICY.tenant) === undefined) refuse("A recovery key has a tenant");
  if (policyAttribute(attributes, POLICY.restoredFor) === undefined)
    refuse("A recovery key is brought for one recipient");
  const { asymmetricKeyType, asymmetricKeyDetails } = privateKeyOf(key);
  if (asymmetricKeyType !== "rsa" || (asymmetricKeyDetails?.modulusLength ?? 0) < MIN_MODULUS)
    refuse("A recovery key is an RSA key of 3072 bits at least");
  const latest = now.getTime() + CEREMONY_MS;
  return {
    ...attributes,
    deactivationDate: new Date(Math.min(attributes.deactivationDate?.getTime() ?? latest, latest)),
    cryptographicUsageMask: ["UnwrapKey"],
    sensitive: true,
    alwaysSensitive: false,
    extractable: false,
    vendorAttributes: [...(attributes.vendorAttributes ?? []), policy(POLICY.level, "master")],
  };
}

/**
 * Throws unless the officer may say of this key that the recipient with that thumbprint recovers it: of a master key that can be at its
 * instances, while it is here, and once Enc(master) is kept for that recipient. The KMS knows no other name for that.
 */
export function checkMayRecover(
  { uid, objectType, attributes, state }: ManagedObject,
  thumbprint: string,
  work: Work,
) {
  if (objectType !== "SymmetricKey") refuse("The strict variant is for symmetric master keys");
  if (classOf(attributes) !== "master" || levelOf(attributes) !== "master")
    refuse("Only a master key of level master is recovered");
  if (!isLive(state)) refuse("Said of a master key before it is revoked");
  if (!isKept(uid, thumbprint, work)) refuse("The recovery recipient does not have it yet");
}

/**
 * Throws unless Enc(master) is still kept for the recovery recipient of a master key that is revoked or destroyed after the officer's
 * word. One that is revoked as compromised comes back by nothing, and needs no copy.
 */
export function checkStillKept({ uid, attributes, state }: ManagedObject, work: Work): void {
  const recipient = policyAttribute(attributes, POLICY.recovery);
  if (classOf(attributes) !== "master" || recipient === undefined || isCompromised(state)) return;
  if (!isKept(uid, recipient, work)) refuse("The recovery recipient does not have it any more");
}

/**
 * Throws where this is Enc(master) of the recovery recipient, from the officer's word on: nobody could make it again once the master key is
 * destroyed. It may go when the officer has revoked that master key as compromised.
 */
export function checkNotLast({ attributes }: ManagedObject, work: Work): void {
  if (classOf(attributes) !== "encrypted") return;
  for (const { nameValue } of attributes.name ?? []) {
    const [, uid = "", recipient = ""] = nameValue.split("/");
    if (nameValue !== encryptedMasterKeyName(uid, recipient)) continue;
    const master = work.get(uid);
    if (!master || classOf(master.attributes) !== "master" || isCompromised(master.state)) continue;
    if (policyAttribute(master.attributes, POLICY.recovery) === recipient)
      refuse("The recovery recipient's copy stays");
  }
}

function isKept(master: string, thumbprint: string, work: Work): boolean {
  return work
    .all([["name", encryptedMasterKeyName(master, thumbprint)], policyEntry(POLICY.class, "encrypted")])
    .some(({ state }) => isLive(state));
}

function isCompromised(state: ManagedObject["state"]): boolean {
  return state === "Compromised" || state === "DestroyedCompromised";
}

/**
 * The attributes of a master key that is restored. Throws unless these are the bytes of a master key that this HSM made for the tenant,
 * and that was destroyed on purpose with this very recovery recipient: whoever has the recovery key's public half can have wrapped
 * another, and a key that was revoked is given to nobody.
 */
export function restoredAttributes(
  attributes: Attributes,
  bytes: Uint8Array,
  { work, now, recovery }: { work: Work; now: Date; recovery: ManagedObject },
): Attributes {
  const tenant = policyAttribute(attributes, POLICY.tenant) ?? "";
  const thumbprint = thumbprintOf(createPublicKey(privateKeyOf(recovery)));
  const digest = createHash("sha256").update(bytes).digest();
  const same = work
    .all([policyEntry(POLICY.tenant, tenant), policyEntry(POLICY.class, "master")])
    .filter(({ state, attributes }) => state === "Destroyed" && levelOf(attributes) === "master")
    .filter(({ attributes }) => policyAttribute(attributes, POLICY.recovery) === thumbprint)
    .some((object) =>
      object.attributes.digest?.some(({ digestValue }) => digest.equals(digestValue ?? new Uint8Array())),
    );
  if (!same) refuse("Not a master key that was destroyed here for this recipient");
  return { ...attributes, deactivationDate: new Date(now.getTime() + RESTORED_MS) };
}

/** Throws unless this is the recipient for whom the officer brought the recovery key. */
export function checkRestoredFor({ attributes }: ManagedObject, recipient: ManagedObject): void {
  const wanted = Buffer.from(policyAttribute(attributes, POLICY.restoredFor) ?? "");
  if (!equalConstantTime(wanted, Buffer.from(thumbprintOf(publicKeyOf(recipient)))))
    refuse("The ceremony is for another recipient");
}

/** Whether the HSM keeps a digest of the key: of a master key that may come back, to know it again. It is random, so its digest tells nothing of it. */
export function isRecognized(attributes: Attributes): boolean {
  return classOf(attributes) === "master" && levelOf(attributes) === "master";
}

/** As `isKeyThumbprint` (protocol/hierarchy) has it. */
function thumbprintOf(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ format: "der", type: "spki" }))
    .digest("base64url");
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
