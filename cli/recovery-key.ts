/** The officer's part in the strict variant of level `master` (docs/decisions/0037): the master key goes, and comes back for an instance. */

import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import {
  isLive,
  masterKeyName,
  named,
  POLICY,
  policy,
  recoveryKeyName,
  USAGE,
} from "#protocol/hierarchy/index.ts";
import { type KmipClient, KmipError } from "#protocol/kmip/index.ts";
import { ensurePolicy, locate, readPolicy } from "./hsm-object.ts";
import {
  attributesOf,
  currentMasterKey,
  destroyedKeys,
  levelOf,
  OtherKind,
  OtherLevel,
  replacedKey,
} from "./master-key.ts";

/** How long a recovery key works where nobody takes it away. Milliseconds. */
const CEREMONY_MS = 60 * 60_000;

/** The recovery recipient has no master key yet, is another one, or the master key was rotated and the old one is not retired. */
export class NotRecoverable extends Error {}

/**
 * Destroys the tenant's master key of level `master` in the HSM, for good (docs/decisions/0037): from then on its instances
 * and the recovery recipient alone have it, and the HSM says so. `recipient`: thumbprint of the recovery recipient's public key. Returns
 * the master key's identifier. Throws `NoMasterKey`, `OtherLevel` where no instance can have the key, `OtherKind` for a pair, and `NotRecoverable` where
 * the HSM keeps none for that recipient. Cut off in between, it is gone on with.
 */
export async function destroyMasterKey(hsm: KmipClient, tenant: string, recipient: string): Promise<string> {
  const uniqueIdentifier = await currentMasterKey(hsm, tenant);
  const level = await levelOf(hsm, uniqueIdentifier);
  if (level !== "master")
    throw new OtherLevel(`The master key of ${tenant} is of level ${level}: nobody has it but the HSM`);
  if (await locate(hsm, masterKeyName(tenant), "PrivateKey"))
    throw new OtherKind(`The master key of ${tenant} is an RSA pair: the strict variant is for AES keys`);
  if ((await replacedKey(hsm, uniqueIdentifier)) !== undefined)
    throw new NotRecoverable(
      `The master key of ${tenant} has replaced another, which is still there: coffer rotate --retire comes first`,
    );
  await ensurePolicy(hsm, uniqueIdentifier, POLICY.recovery, recipient).catch((error: unknown) => {
    // The HSM takes the word only where it keeps Enc(master) for the recipient, which the officer cannot see.
    if (!(error instanceof KmipError) || error.code !== "PermissionDenied") throw error;
    throw new NotRecoverable(
      `The HSM keeps no master key of ${tenant} for that recovery recipient, or has not the key to give: coffer recovery prepare comes first`,
    );
  });
  if ((await readPolicy(hsm, uniqueIdentifier, POLICY.recovery)) !== recipient)
    throw new NotRecoverable(`The master key of ${tenant} has another recovery recipient`);
  const { state } = await attributesOf(hsm, uniqueIdentifier, "state");
  const revocationReason = { revocationReasonCode: "CessationOfOperation" as const };
  if (state !== undefined && isLive(state))
    await hsm.request("Revoke", { uniqueIdentifier, revocationReason });
  await hsm.request("Destroy", { uniqueIdentifier });
  return uniqueIdentifier;
}

/**
 * Brings the private half of the recovery recipient (RSA, PKCS#8) into the HSM for a ceremony, after which the officer
 * destroys it: the KMS may have the tenant's destroyed master key restored by it, for the one recipient with that thumbprint. Returns its
 * identifier. Throws `NotRecoverable` where it is not the key of the recovery recipient.
 */
export async function bringRecoveryKey(
  hsm: KmipClient,
  tenant: string,
  { pkcs8, restoredFor }: { pkcs8: Uint8Array<ArrayBuffer>; restoredFor: string },
  now: Date,
): Promise<string> {
  const destroyed = await destroyedKeys(hsm, tenant);
  const own = thumbprintOf(pkcs8);
  const said = await Promise.all(
    destroyed.map(async (uid) => {
      // One that was compromised since comes back by nothing.
      const { state } = await attributesOf(hsm, uid, "state");
      return state === "Destroyed" && (await readPolicy(hsm, uid, POLICY.recovery)) === own;
    }),
  );
  if (!said.includes(true))
    throw new NotRecoverable(`No master key of ${tenant} was destroyed with this recovery recipient`);
  const { uniqueIdentifier } = await hsm.request("Register", {
    objectType: "PrivateKey",
    attributes: {
      name: named(recoveryKeyName(tenant)),
      cryptographicUsageMask: [...USAGE.recovery],
      activationDate: now,
      deactivationDate: new Date(now.getTime() + CEREMONY_MS),
      vendorAttributes: [
        policy(POLICY.class, "recovery"),
        policy(POLICY.tenant, tenant),
        policy(POLICY.restoredFor, restoredFor),
      ],
    },
    object: { privateKey: { keyBlock: { keyFormatType: "PKCS_8", keyValue: { keyMaterial: pkcs8 } } } },
  });
  return uniqueIdentifier;
}

/** Of a private key's public half, as `isKeyThumbprint` has it. */
export function thumbprintOf(pkcs8: Uint8Array<ArrayBuffer>): string {
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return createHash("sha256").update(spki).digest("base64url");
}

/** Ends the ceremony: the recovery key is gone from the HSM. Throws `NotRecoverable` for any other object, which stays as it is. */
export async function removeRecoveryKey(hsm: KmipClient, uniqueIdentifier: string): Promise<void> {
  if ((await readPolicy(hsm, uniqueIdentifier, POLICY.class)) !== "recovery")
    throw new NotRecoverable(`${uniqueIdentifier} is no recovery key`);
  const revocationReason = { revocationReasonCode: "CessationOfOperation" as const };
  const { state } = await attributesOf(hsm, uniqueIdentifier, "state");
  // After an hour it is out of use already.
  if (state !== undefined && isLive(state))
    await hsm.request("Revoke", { uniqueIdentifier, revocationReason });
  await hsm.request("Destroy", { uniqueIdentifier });
}
