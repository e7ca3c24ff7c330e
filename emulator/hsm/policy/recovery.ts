import { createHash } from "node:crypto";
import { POLICY, policy, policyAttribute } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { isDestroyed, type ManagedObject } from "../store/managed-object.ts";
import { privateKeyOf } from "../store/material.ts";
import { policyEntry } from "../store/store-index.ts";
import type { Work } from "../store/work.ts";
import { classOf, levelOf } from "./classes.ts";

/**
 * The strict variant of level `master` (docs/decisions/0037): the master key is destroyed in the HSM once its first instances
 * and a recovery recipient have it. For a further instance the officer brings the recovery key, and the KMS the master key
 * wrapped to it, which stays for a batch and goes to recipients, and nowhere else.
 */

const MIN_MODULUS = 3072;
/** How long a restored master key may be given out: the batch that brought it. Milliseconds. */
const RESTORED_MS = 60_000;

/** The attributes of a recovery key that the officer registers: it opens master keys of its tenant, and does nothing else. */
export function recoveryAttributes(key: ManagedObject): Attributes {
  const { attributes } = key;
  if (policyAttribute(attributes, POLICY.tenant) === undefined) refuse("A recovery key has a tenant");
  const { asymmetricKeyType, asymmetricKeyDetails } = privateKeyOf(key);
  if (asymmetricKeyType !== "rsa" || (asymmetricKeyDetails?.modulusLength ?? 0) < MIN_MODULUS)
    refuse("A recovery key is an RSA key of 3072 bits at least");
  return {
    ...attributes,
    cryptographicUsageMask: ["UnwrapKey"],
    sensitive: true,
    alwaysSensitive: false,
    extractable: false,
    vendorAttributes: [...(attributes.vendorAttributes ?? []), policy(POLICY.level, "master")],
  };
}

/**
 * The attributes of a master key that is restored. Throws unless these are the bytes of a master key that this HSM made for
 * the tenant and destroyed: whoever has the recovery key's public half can have wrapped another.
 */
export function restoredAttributes(
  attributes: Attributes,
  bytes: Uint8Array,
  work: Work,
  now: Date,
): Attributes {
  const tenant = policyAttribute(attributes, POLICY.tenant) ?? "";
  const digest = createHash("sha256").update(bytes).digest();
  const same = work
    .all([policyEntry(POLICY.tenant, tenant), policyEntry(POLICY.class, "master")])
    .filter((object) => isDestroyed(object) && levelOf(object.attributes) === "master")
    .some((object) =>
      object.attributes.digest?.some(({ digestValue }) => digest.equals(digestValue ?? new Uint8Array())),
    );
  if (!same) refuse("Not a master key that was destroyed here");
  return { ...attributes, deactivationDate: new Date(now.getTime() + RESTORED_MS) };
}

/** Whether the HSM keeps a digest of the key: of a master key that may come back, to know it again. It is random, so its digest tells nothing of it. */
export function isRecognized(attributes: Attributes): boolean {
  return classOf(attributes) === "master" && levelOf(attributes) === "master";
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
