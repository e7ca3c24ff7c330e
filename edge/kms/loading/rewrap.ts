/** Loading by rewrap (M8): a data key rewrapped to the caller's instance, with the receipt that vouches for it. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { canonicalJws, type LoadOf, type RequestOf } from "#protocol/keys/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import type { AccountKey } from "../../iam/types.ts";
import { ok, type Result, refuse } from "../../result.ts";
import { type Context, failed } from "../context.ts";
import { signReceipt } from "../signing.ts";
import { rewrapDataKey } from "./rewrap-batch.ts";
import { authorizeRelease, readWanted, type Wanted } from "./wanted.ts";

/** How long a load receipt may be used to load the key, seconds: a working day, so that an instance starts offline. */
const RECEIPT_SECONDS = 8 * 3600;

export async function rewrap(
  kms: Context,
  caller: Caller,
  request: RequestOf<"rewrap">,
): Promise<Result<LoadOf<"rewrap">>> {
  const read = await readWanted(kms, caller, "kms:rewrap", request);
  if (!read.ok) return read;
  const wanted = read.value;
  const decision = await authorizeRelease(kms, "kms:rewrap", wanted);
  if (!decision.ok) return decision;

  const { edk, about } = wanted;
  const { tenant } = kms.store;
  const account = await kms.neighbours.IAM.accountKey({ tenant, account: edk.account, caller });
  if (!account.ok) return account;
  if (account.value.id !== edk.accountKey.id || account.value.version !== edk.accountKey.version) {
    return authorize<never>(kms.store, { action: "kms:rewrap", ...about }, () =>
      refuse("conflict", "EDK is under another account key"),
    );
  }
  try {
    const rewrapped = await rewrapFor(kms, wanted, account.value, decision.value);
    // While the HSM worked the instance may have been revoked, the user have signed out, the key been disabled: input
    // gates do not hold across its answer. What was wrapped for nothing goes no further.
    const released = await authorizeRelease(kms, "kms:release", wanted);
    if (!released.ok) return released;
    return ok(rewrapped);
  } catch (error) {
    return failed(kms, "kms:rewrap-at-hsm", about, error);
  }
}

type Released = Extract<Awaited<ReturnType<typeof authorizeRelease>>, { ok: true }>["value"];

async function rewrapFor(
  kms: Context,
  { edk, token, thumbprint }: Wanted,
  account: AccountKey,
  { policy, recipient: { hsmKey, notAfter } }: Released,
): Promise<LoadOf<"rewrap">> {
  const keys = { account, wrappedDataKey: decodeBase64url(edk.wrappedKey), hsmKey };
  const wrappedKey = await rewrapDataKey(kms.hsm, kms.ledger, keys, Date.now());
  const iat = seconds(Date.now());
  const receipt = await signReceipt(kms.hsm, await kms.trust.list(), {
    version: 1,
    wrappedKeyDigest: await digest(wrappedKey),
    edkDigest: await digest(canonicalJws(token)),
    keyId: edk.keyId,
    keyVersion: edk.keyVersion,
    recipient: thumbprint,
    tenant: kms.store.tenant,
    account: edk.account,
    policy,
    iat,
    exp: Math.min(iat + RECEIPT_SECONDS, notAfter, edk.expires ?? Number.MAX_SAFE_INTEGER),
  });
  return { way: "rewrap", edk: token, wrappedKey: encodeBase64url(wrappedKey), receipt };
}
