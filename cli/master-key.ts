/** What the officer does with the master key of a tenant (class `master`, AES-256): made, replaced, retired; all inside the HSM. */

import {
  isLive,
  KEY,
  masterKeyName,
  named,
  POLICY,
  policy,
  replacedMasterKeyName,
  USAGE,
  users,
} from "#protocol/hierarchy/index.ts";
import { type Attributes, item, type KmipClient, payloadOf } from "#protocol/kmip/index.ts";
import { DEFAULT_LEVEL, type Level } from "#protocol/level.ts";
import { ensurePolicy, locate, readPolicy } from "./hsm-object.ts";

const USERS = users("kms");

/** A tenant as the officer makes its master key. */
export interface TenantKey {
  name: string;
  /** What its master key is for; it can never be given another. */
  level: Level;
}

/** A tenant's master key was made for another release level. */
export class OtherLevel extends Error {}

/** The tenant has no master key. */
export class NoMasterKey extends Error {}

/**
 * Makes the tenant's master key if it has none. The HSM releases what the level says to recipients of this tenant only.
 * Throws `OtherLevel`.
 */
export async function ensureMasterKey(hsm: KmipClient, tenant: TenantKey, now: Date): Promise<void> {
  const found = await locate(hsm, masterKeyName(tenant.name), "SymmetricKey");
  if (!found) {
    // In the strict variant of its level the instances have the key, and it is destroyed here: another would open nothing.
    if (tenant.level === "master" && (await wasDestroyed(hsm, tenant.name))) return;
    await hsm.request("Create", newMasterKey(tenant, now));
    return;
  }
  const made = await levelOf(hsm, found);
  if (made !== tenant.level)
    throw new OtherLevel(
      `The master key of ${tenant.name} was made for level ${made}, not ${tenant.level}: a level is for good, since what left the HSM cannot come back`,
    );
  await ensurePolicy(hsm, found, POLICY.tenant, tenant.name);
  await ensureUsers(hsm, found);
}

/**
 * Destroys the tenant's master key of level `master` in the HSM, for good (docs/decisions/0037): from then on its instances
 * and the recovery recipient alone have it. Returns its identifier. Throws `NoMasterKey`, and `OtherLevel` where no instance can have the key.
 */
export async function destroyMasterKey(hsm: KmipClient, tenant: string): Promise<string> {
  const uniqueIdentifier = await currentMasterKey(hsm, tenant);
  const level = await levelOf(hsm, uniqueIdentifier);
  if (level !== "master")
    throw new OtherLevel(`The master key of ${tenant} is of level ${level}: nobody has it but the HSM`);
  const revocationReason = { revocationReasonCode: "CessationOfOperation" as const };
  await hsm.request("Revoke", { uniqueIdentifier, revocationReason });
  await hsm.request("Destroy", { uniqueIdentifier });
  return uniqueIdentifier;
}

/**
 * Brings the private half of the recovery recipient (RSA, PKCS#8) into the HSM for a ceremony, after which the officer
 * destroys it: the KMS may have the tenant's destroyed master key restored by it, for recipients of the tenant. Returns its
 * identifier.
 */
export async function bringRecoveryKey(
  hsm: KmipClient,
  tenant: string,
  pkcs8: Uint8Array<ArrayBuffer>,
  now: Date,
): Promise<string> {
  const { uniqueIdentifier } = await hsm.request("Register", {
    objectType: "PrivateKey",
    attributes: {
      cryptographicUsageMask: [...USAGE.recovery],
      activationDate: now,
      vendorAttributes: [policy(POLICY.class, "recovery"), policy(POLICY.tenant, tenant)],
    },
    object: { privateKey: { keyBlock: { keyFormatType: "PKCS_8", keyValue: { keyMaterial: pkcs8 } } } },
  });
  return uniqueIdentifier;
}

/** Ends the ceremony: the recovery key is gone from the HSM. */
export async function removeRecoveryKey(hsm: KmipClient, uniqueIdentifier: string): Promise<void> {
  const revocationReason = { revocationReasonCode: "CessationOfOperation" as const };
  await hsm.request("Revoke", { uniqueIdentifier, revocationReason });
  await hsm.request("Destroy", { uniqueIdentifier });
}

async function wasDestroyed(hsm: KmipClient, tenant: string): Promise<boolean> {
  const { uniqueIdentifier } = await hsm.request("Locate", {
    attributes: { name: named(masterKeyName(tenant)), vendorAttributes: [policy(POLICY.level, "master")] },
    storageStatusMask: ["DestroyedStorage"],
  });
  return uniqueIdentifier.length > 0;
}

/** Keys of the hierarchy answer to the KMS alone (W9); in earlier releases the IAM used them too. */
async function ensureUsers(hsm: KmipClient, uniqueIdentifier: string): Promise<void> {
  const was = await readPolicy(hsm, uniqueIdentifier, POLICY.users);
  if (was === undefined || was === USERS.attributeValue) return;
  await hsm.request("ModifyAttribute", {
    uniqueIdentifier,
    currentAttribute: { vendorAttributes: [policy(POLICY.users, was)] },
    newAttribute: { vendorAttributes: [USERS] },
  });
}

/** A rotation under way: identifiers of the key that is replaced, and of the one that has taken its name. */
export interface Rotation {
  replaced: string;
  successor: string;
}

/**
 * Gives the tenant a new master key in place of the one that it has (W12): account keys are made under the new one from
 * now on, and the KMS can have those of the old one wrapped under it. One rotation at a time: asked again before the old
 * key is retired, it tells of the one under way. Throws `NoMasterKey`.
 */
export async function rotateMasterKey(hsm: KmipClient, tenant: string, now: Date): Promise<Rotation> {
  const current = await currentMasterKey(hsm, tenant);
  const before = await replacedKey(hsm, current);
  if (before?.live) return { replaced: before.uid, successor: current };
  const level = await levelOf(hsm, current);
  const operations = await readPolicy(hsm, current, POLICY.operations);
  // The name passes on in one step: at no time has the tenant two keys of that name, or none.
  const answers = await hsm.batch(
    [
      item("ModifyAttribute", {
        uniqueIdentifier: current,
        newAttribute: { name: named(replacedMasterKeyName(tenant, current)) },
      }),
      item("Create", newMasterKey({ name: tenant, level }, now, { key: current, operations })),
    ] as const,
    { batchErrorContinuationOption: "Undo", batchOrderOption: true },
  );
  // The refusal, where there is one, is the second's: then the first was undone.
  const { uniqueIdentifier: successor } = payloadOf(answers[1]);
  return { replaced: current, successor };
}

/**
 * Ends the key that the tenant's master key has replaced, for good: account keys that were not wrapped under the new one by
 * then are lost, with all that is below them. Returns its identifier; undefined where there is none left. Throws
 * `NoMasterKey`.
 */
export async function retireMasterKey(hsm: KmipClient, tenant: string): Promise<string | undefined> {
  const before = await replacedKey(hsm, await currentMasterKey(hsm, tenant));
  if (!before) return undefined;
  const { uid: uniqueIdentifier } = before;
  if (before.live) {
    const revocationReason = { revocationReasonCode: "Superseded" as const };
    await hsm.request("Revoke", { uniqueIdentifier, revocationReason });
  }
  await hsm.request("Destroy", { uniqueIdentifier });
  return uniqueIdentifier;
}

/** Identifier of the tenant's master key. Throws `NoMasterKey`. */
export async function currentMasterKey(hsm: KmipClient, tenant: string): Promise<string> {
  const found = await locate(hsm, masterKeyName(tenant), "SymmetricKey");
  if (!found) throw new NoMasterKey(`${tenant} has no master key in this HSM`);
  return found;
}

/** The key that this one replaced, while there is something left of it. */
async function replacedKey(
  hsm: KmipClient,
  uniqueIdentifier: string,
): Promise<{ uid: string; live: boolean } | undefined> {
  const { link } = await attributesOf(hsm, uniqueIdentifier, "link");
  const replaced = link?.find(({ linkType }) => linkType === "ReplacedObjectLink")?.linkedObjectIdentifier;
  if (typeof replaced !== "string") return undefined;
  const { state } = await attributesOf(hsm, replaced, "state");
  if (state === undefined || state === "Destroyed" || state === "DestroyedCompromised") return undefined;
  return { uid: replaced, live: isLive(state) };
}

async function attributesOf(
  hsm: KmipClient,
  uniqueIdentifier: string,
  name: "link" | "state",
): Promise<Attributes> {
  const { attributes } = await hsm.request("GetAttributes", { uniqueIdentifier, attributeReference: [name] });
  return attributes;
}

async function levelOf(hsm: KmipClient, uniqueIdentifier: string): Promise<string> {
  return (await readPolicy(hsm, uniqueIdentifier, POLICY.level)) ?? DEFAULT_LEVEL;
}

function newMasterKey(
  { name: tenant, level }: { name: string; level: string },
  now: Date,
  replaces?: { key: string; operations: string | undefined },
) {
  const attributes: Attributes = {
    name: named(masterKeyName(tenant)),
    ...KEY,
    cryptographicUsageMask: [...USAGE.master],
    sensitive: true,
    extractable: level === "master",
    activationDate: now,
    ...(replaces && { link: [{ linkType: "ReplacedObjectLink", linkedObjectIdentifier: replaces.key }] }),
    vendorAttributes: [
      policy(POLICY.class, "master"),
      policy(POLICY.level, level),
      policy(POLICY.tenant, tenant),
      USERS,
      ...(replaces?.operations === undefined ? [] : [policy(POLICY.operations, replaces.operations)]),
    ],
  };
  return { objectType: "SymmetricKey" as const, attributes };
}
