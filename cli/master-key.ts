/** What the officer does with the master key of a tenant (class `master`): made, replaced, retired; all inside the HSM. */

import {
  isLive,
  KEY,
  KEY_PAIR,
  type MasterKeys,
  masterKeyName,
  named,
  POLICY,
  policy,
  replacedMasterKeyName,
  USAGE,
  users,
} from "#protocol/hierarchy/index.ts";
import {
  type Attributes,
  item,
  type KmipClient,
  payloadOf,
  type RequestItemOf,
} from "#protocol/kmip/index.ts";
import { DEFAULT_LEVEL, type Level } from "#protocol/level.ts";
import { ensurePolicy, locate, readPolicy } from "./hsm-object.ts";

const USERS = users("kms");

/** A tenant as the officer makes its master key. */
export interface TenantKey {
  name: string;
  /** What its master key is for; it can never be given another. */
  level: Level;
  /** What it is, where it is made now: AES-256 by default. A rotation can change it. */
  masterKey?: MasterKeys;
}

/** A tenant's master key was made for another release level. */
export class OtherLevel extends Error {}

/** What is asked for is not done with a master key of this kind. */
export class OtherKind extends Error {}

/** The tenant has no master key. */
export class NoMasterKey extends Error {}

/**
 * Makes the tenant's master key if it has none. The HSM releases what the level says to recipients of this tenant only.
 * Throws `OtherLevel`.
 */
export async function ensureMasterKey(hsm: KmipClient, tenant: TenantKey, now: Date): Promise<void> {
  const found = await findMasterKey(hsm, tenant.name);
  if (!found) {
    // In the strict variant of its level the instances have the key, and it is destroyed here: another would open nothing.
    if (tenant.level === "master" && (await wasDestroyed(hsm, tenant.name))) return;
    await makeMasterKey(hsm, tenant, now);
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

async function wasDestroyed(hsm: KmipClient, tenant: string): Promise<boolean> {
  return (await destroyedKeys(hsm, tenant)).length > 0;
}

/** Master keys of level `master` that the tenant had, under the name of the current one. */
export async function destroyedKeys(hsm: KmipClient, tenant: string): Promise<string[]> {
  const { uniqueIdentifier } = await hsm.request("Locate", {
    attributes: { name: named(masterKeyName(tenant)), vendorAttributes: [policy(POLICY.level, "master")] },
    storageStatusMask: ["DestroyedStorage"],
  });
  return uniqueIdentifier;
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
 * key is retired, it tells of the one under way; an old key whose scheduled end has come is destroyed first. `kind`: of the new one, AES-256 by
 * default. Throws `NoMasterKey`.
 */
export async function rotateMasterKey(
  hsm: KmipClient,
  tenant: string,
  now: Date,
  kind: MasterKeys = "AES-256",
): Promise<Rotation> {
  const current = await currentMasterKey(hsm, tenant);
  const before = await replacedKey(hsm, current);
  if (before?.live) return { replaced: before.uid, successor: current };
  // Nobody would find it once its successor is replaced.
  if (before) await hsm.request("Destroy", { uniqueIdentifier: before.uid });
  const level = await levelOf(hsm, current);
  const operations = await readPolicy(hsm, current, POLICY.operations);
  // The name passes on in one step: at no time has the tenant two keys of that name, or none.
  const giveName = item("ModifyAttribute", {
    uniqueIdentifier: current,
    newAttribute: { name: named(replacedMasterKeyName(tenant, current)) },
  });
  const order = { name: tenant, level, masterKey: kind };
  const replaces = { key: current, operations };
  const options = { batchErrorContinuationOption: "Undo", batchOrderOption: true } as const;
  // The refusal, where there is one, is the second's: then the first was undone.
  if (kind === "AES-256") {
    const answers = await hsm.batch(
      [giveName, item("Create", newKey(order, now, replaces))] as const,
      options,
    );
    return { replaced: current, successor: payloadOf(answers[1]).uniqueIdentifier };
  }
  const [create, destroy] = pairItems(order, now, replaces);
  const answers = await hsm.batch([giveName, create, destroy] as const, options);
  return { replaced: current, successor: payloadOf(answers[1]).privateKeyUniqueIdentifier };
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
  const found = await findMasterKey(hsm, tenant);
  if (!found) throw new NoMasterKey(`${tenant} has no master key in this HSM`);
  return found;
}

/** The key that this one replaced, while there is something left of it. */
export async function replacedKey(
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

export async function attributesOf(
  hsm: KmipClient,
  uniqueIdentifier: string,
  name: "link" | "state",
): Promise<Attributes> {
  const { attributes } = await hsm.request("GetAttributes", { uniqueIdentifier, attributeReference: [name] });
  return attributes;
}

export async function levelOf(hsm: KmipClient, uniqueIdentifier: string): Promise<string> {
  return (await readPolicy(hsm, uniqueIdentifier, POLICY.level)) ?? DEFAULT_LEVEL;
}

/** The key that a new one replaces, and what it says of operations. */
type Replaced = { key: string; operations: string | undefined };
type Order = { name: string; level: string; masterKey?: MasterKeys };

async function findMasterKey(hsm: KmipClient, tenant: string): Promise<string | undefined> {
  const name = masterKeyName(tenant);
  return (await locate(hsm, name, "SymmetricKey")) ?? locate(hsm, name, "PrivateKey");
}

async function makeMasterKey(hsm: KmipClient, order: Order, now: Date): Promise<void> {
  if (order.masterKey !== "RSA-3072") {
    await hsm.request("Create", newKey(order, now));
    return;
  }
  const answers = await hsm.batch(pairItems(order, now), {
    batchErrorContinuationOption: "Undo",
    batchOrderOption: true,
  });
  payloadOf(answers[0]);
  payloadOf(answers[1]);
}

function newKey(order: Order, now: Date, replaces?: Replaced) {
  return {
    objectType: "SymmetricKey" as const,
    attributes: { ...KEY, ...attributesOfNew(order, now, replaces) },
  };
}

/**
 * A pair, of which the private half stands for both at the HSM. The public one is destroyed at once: anyone who had it could wrap
 * account keys of their own (KMIP 2.1, Unique Identifier: what Create Key Pair made is named so).
 */
function pairItems(
  order: Order,
  now: Date,
  replaces?: Replaced,
): readonly [RequestItemOf<"CreateKeyPair">, RequestItemOf<"Destroy">] {
  return [
    item("CreateKeyPair", {
      commonAttributes: KEY_PAIR,
      privateKeyAttributes: attributesOfNew(order, now, replaces),
      publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"] },
    }),
    item("Destroy", { uniqueIdentifier: { reference: "CreateKeyPairPublicKey" } }),
  ] as const;
}

function attributesOfNew({ name: tenant, level }: Order, now: Date, replaces?: Replaced): Attributes {
  return {
    name: named(masterKeyName(tenant)),
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
}
