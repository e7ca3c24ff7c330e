/** Loading by rewrap (M8): a data key rewrapped to the caller's instance, with the receipt that vouches for it. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { Edk, LoadOf, RequestOf } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import type { Recipient } from "../../ra/types.ts";
import { ok, type Result, refuse } from "../../result.ts";
import { type Context, type Door, failedUnderMaster, noMember } from "../context.ts";
import { signReceipt } from "../signing.ts";
import { receiptFor } from "./receipt.ts";
import type { Under } from "./rewrap-batch.ts";
import {
  askNeighbours,
  askStanding,
  askUnder,
  authorizeRelease,
  isUnder,
  readWanted,
  type Wanted,
} from "./wanted.ts";

export async function rewrap(
  door: Door,
  caller: Caller,
  request: RequestOf<"rewrap">,
  edk: Edk,
): Promise<Result<LoadOf<"rewrap">>> {
  const { neighbours } = door;
  const read = await readWanted(caller, edk, request);
  const unidentified = { action: "kms:rewrap", caller, resource: "edk", requestId: caller.requestId };
  if (!read.ok) return door.refuse(unidentified, read);
  const wanted = read.value;
  const { about } = wanted;
  const asked = await askNeighbours(neighbours, wanted, askUnder(neighbours));
  if (!asked.member.ok)
    return door.refuse({ action: "kms:rewrap", ...about }, noMember(asked.member.problem));
  const kms = await door.enter();
  const decision = authorizeRelease(kms, "kms:rewrap", wanted, asked);
  if (!decision.ok) return decision;
  if (!isUnder(edk, decision.value.member)) {
    return authorize<never>(kms.store, { action: "kms:rewrap", ...about }, () =>
      refuse("conflict", "EDK is under another account key"),
    );
  }
  try {
    const rewrapped = await rewrapFor(kms, wanted, decision.value);
    // While the HSM worked the instance may have been revoked, the user have signed out or left, the account been shredded,
    // the key been disabled: input gates do not hold across its answer. What was wrapped for nothing goes no further.
    const again = await askNeighbours(neighbours, wanted, askStanding(neighbours));
    const released = authorizeRelease(kms, "kms:release", wanted, again);
    if (!released.ok) return released;
    return ok(rewrapped);
  } catch (error) {
    return await failedUnderMaster(kms, "kms:rewrap-at-hsm", about, error);
  }
}

type Released = { member: Under; policy: KeyPolicy; recipient: Recipient };

async function rewrapFor(
  kms: Context,
  { edk, token, thumbprint, attested }: Wanted,
  { member: under, policy, recipient }: Released,
): Promise<LoadOf<"rewrap">> {
  const key = { edk, under, wrappedDataKey: decodeBase64url(edk.wrappedKey) };
  const [wrappedKey] = await kms.backEnd.release([key], { ...recipient, attested });
  if (wrappedKey === undefined) throw new Error("a key was not rewrapped");
  const { notAfter } = recipient;
  const of = { edk, token, thumbprint, tenant: kms.store.tenant, policy, notAfter };
  const receipt = await signReceipt(kms.hsm, await kms.trust.list(), await receiptFor(wrappedKey, of));
  return { way: "rewrap", edk: token, wrappedKey: encodeBase64url(wrappedKey), receipt };
}
