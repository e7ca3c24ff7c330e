/** Level `master`: the tenant's master key encrypted to an instance's wrapping key, with the receipt that vouches for it (W6, W9). */

import { encodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import type { AnswerOf, loadMasterKey, MasterKeyRequest } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { instancesMasterKeyName } from "#protocol/hierarchy/index.ts";
import type { Level } from "#protocol/level.ts";
import { authorize } from "../authorize.ts";
import type { InstanceCaller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import type { Person } from "../person.ts";
import { ok, type Result, refuse } from "../result.ts";
import { type Context, failed } from "./context.ts";
import { masterVersion } from "./master-key.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import { signReceipt } from "./signing.ts";
import { askStanding, authorizeInstance, itself } from "./standing.ts";

export type Released = AnswerOf<typeof loadMasterKey>;

/**
 * Enc(master) for one instance: `keyId` is the master key's identifier at the HSM. Of a pair `wrappedKey` is the key that `privateKey`,
 * the private half, is encrypted under.
 */
export type EncryptedMaster = {
  keyId: string;
  wrappedKey: Uint8Array<ArrayBuffer>;
  privateKey?: Uint8Array<ArrayBuffer>;
};

/** A receipt is for the start that asked for it, seconds. */
export const RECEIPT_SECONDS = 300;
const LEVELS: readonly Level[] = ["master"];

/**
 * `encrypted` gives Enc(master) for the instance, from wherever it is kept: of the current master key, or of the earlier one with this
 * id, null where it is none. Errors: `not-found`.
 */
export async function releaseMasterKey(
  kms: Context,
  caller: InstanceCaller,
  { challenge, id }: MasterKeyRequest,
  encrypted: (enrolled: Enrolled, id?: string) => Promise<EncryptedMaster | null>,
): Promise<Result<Released>> {
  const { store, hsm, trust, neighbours } = kms;
  const { requestId } = caller;
  const about = { caller, resource: instancesMasterKeyName(caller.instance), requestId };
  const standing = await askStanding(neighbours, caller);
  const asked = { action: "kms:master-key", ...about };
  const allowed = (sql: SqlStorage, enrolled: Enrolled, person: Person) => {
    const { tier, method } = enrolled;
    const of = { action: "release", resource: "master", account: null } as const;
    const facts = factsOfCaller(caller, { ...of, tier, method, person });
    const decision = checkPolicies(kms.policies(), facts);
    return decision.ok ? itself(sql, enrolled) : decision;
  };
  const decision = authorizeInstance(store, asked, standing, LEVELS, allowed);
  if (!decision.ok) return decision;
  try {
    const { wrappingCertificate: recipient, notAfter, secondLayer } = decision.value;
    const master = await encrypted(decision.value, id);
    if (master === null) {
      const none = () => refuse("not-found", "no master key of the tenant");
      return authorize<never>(store, { action: "kms:release-master-key", ...about }, none);
    }
    const { keyId, wrappedKey, privateKey } = master;
    if (privateKey && id === undefined && secondLayer !== undefined) {
      const none = () =>
        refuse("hsm-refused", "a second layer comes from a symmetric master key, and this is a pair");
      return authorize<never>(store, { action: "kms:release-master-key", ...about }, none);
    }
    const iat = seconds(Date.now());
    const receipt = await signReceipt(hsm, await trust.list(), {
      version: 1,
      kind: "master",
      wrappedKeyDigest: await digest(privateKey ? concat(wrappedKey, privateKey) : wrappedKey),
      keyId,
      keyVersion: await masterVersion(hsm, keyId),
      recipient,
      tenant: store.tenant,
      challenge,
      ...(id === undefined && secondLayer !== undefined && { secondLayer }),
      iat,
      exp: Math.min(iat + RECEIPT_SECONDS, notAfter),
    });
    // While the HSM worked the instance may have been revoked, or its custodian have signed out.
    const again = await askStanding(neighbours, caller);
    const releasing = { action: "kms:release-master-key", ...about };
    const released = authorizeInstance(store, releasing, again, LEVELS, allowed);
    if (!released.ok) return released;
    return ok({
      wrappedKey: encodeBase64url(wrappedKey),
      receipt,
      ...(privateKey && { privateKey: encodeBase64url(privateKey) }),
    });
  } catch (error) {
    return failed(kms, "kms:master-key-at-hsm", about, error);
  }
}
