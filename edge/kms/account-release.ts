/** Level `account`: an account key encrypted to an instance's wrapping key, with the receipt that vouches for it. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import type { AccountKeyRequest, AnswerOf, loadAccountKey } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import type { Level } from "#protocol/level.ts";
import type { InstanceCaller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import type { Person } from "../person.ts";
import { ok, type Result } from "../result.ts";
import { releaseToRecipient } from "./account-keys.ts";
import { type Door, failed, noMember } from "./context.ts";
import { RECEIPT_SECONDS } from "./master-receipts.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import { checkLives } from "./shred.ts";
import { signReceipt } from "./signing.ts";
import { askStanding, authorizeInstance } from "./standing.ts";

export type ReleasedToInstance = AnswerOf<typeof loadAccountKey>;

const LEVELS: readonly Level[] = ["account"];

/** The account's current key, or that of the id. Errors: `not-found` where the IAM has none of that id. */
export async function releaseAccountKey(
  door: Door,
  caller: InstanceCaller,
  { account, challenge, id }: AccountKeyRequest,
): Promise<Result<ReleasedToInstance>> {
  const { neighbours } = door;
  const about = { caller, resource: `account/${account}/key`, requestId: caller.requestId };
  const standing = await askStanding(neighbours, caller, account);
  const asked = { action: "kms:load-account-key", ...about };
  if (!standing.signedIn.ok) return door.refuse(asked, noMember(standing.signedIn.problem));
  const kms = await door.enter();
  const { store, hsm, trust } = kms;
  const checkAllowed = (sql: SqlStorage, instance: Enrolled, person: Person) => {
    const resource = `accounts/${account}`;
    const of = { action: "release", wrapping: "RSA-OAEP" } as const;
    const facts = factsOfCaller(caller, { ...of, resource, account, instance, person });
    const allowed = checkPolicies(kms.policies(), facts);
    return allowed.ok ? checkLives(sql) : allowed;
  };
  const decision = authorizeInstance(store, asked, standing, LEVELS, (sql, enrolled, person) => {
    const lives = checkAllowed(sql, enrolled, person);
    return lives.ok ? ok(enrolled) : lives;
  });
  if (!decision.ok) return decision;
  const key = await neighbours.IAM.encryptedAccountKey(caller, account, id);
  if (!key.ok) return key;
  try {
    const { wrappingCertificate: recipient, notAfter, hsmKey } = decision.value;
    // To the recipient that the HSM has verified.
    const { wrappedKey, privateKey } = await releaseToRecipient(kms, key.value, hsmKey);
    const { publicKey } = key.value;
    const iat = seconds(Date.now());
    const receipt = await signReceipt(hsm, await trust.list(), {
      version: 1,
      kind: "account",
      wrappedKeyDigest: await digest(privateKey ? concat(wrappedKey, privateKey) : wrappedKey),
      keyId: key.value.id,
      keyVersion: key.value.version,
      recipient,
      tenant: store.tenant,
      account,
      challenge,
      iat,
      exp: Math.min(iat + RECEIPT_SECONDS, notAfter),
    });
    // While the HSM worked the instance may have been revoked, or the account have ended.
    const again = await askStanding(neighbours, caller, account);
    const releasing = { action: "kms:release-account-key", ...about };
    const released = authorizeInstance(store, releasing, again, LEVELS, checkAllowed);
    if (!released.ok) return released;
    return ok({
      wrappedKey: encodeBase64url(wrappedKey),
      receipt,
      ...(privateKey && { privateKey: encodeBase64url(privateKey) }),
      ...(publicKey && { publicKey: encodeBase64url(publicKey) }),
    });
  } catch (error) {
    return failed(kms, "kms:account-key-at-hsm", about, error);
  }
}
