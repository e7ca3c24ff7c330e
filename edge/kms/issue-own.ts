/** Data keys of the tenant itself (M6): encrypted directly under its master key, for the custodians that their policy names. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import type { DataKeysRequest } from "#protocol/contract/index.ts";
import type { TenantEdk } from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { underMaster } from "../hsm/keys/index.ts";
import { ok, type Result, refuse } from "../result.ts";
import { requireHsm } from "./back-ends/back-end.ts";
import { type About, type Context, type Door, failedUnderMaster, noMember } from "./context.ts";
import { makeOwnDataKeys } from "./data-keys.ts";
import type { Successor } from "./issue.ts";
import { masterNamed, requireWorkingMasterKey } from "./master-key.ts";
import { type Order, orderOf } from "./order.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import type { DataKeyQuota } from "./quota.ts";
import { insertDataKeys, NO_ACCOUNT } from "./registry.ts";
import { giveRetainedUp, keepRetained, retainAtHsm } from "./retained-keys.ts";
import { signEdks } from "./signing.ts";

/** Through the door of the caller's own object, which registers them. */
export async function issueOwnDataKeys(
  { neighbours, enter }: Door,
  quota: DataKeyQuota,
  caller: Caller,
  request: DataKeysRequest,
): Promise<Result<{ edks: string[] }>> {
  const { count, purpose } = request;
  const about = { caller, resource: "keys/new", requestId: caller.requestId };
  const signedIn = await neighbours.IAM.signedIn(caller);
  const kms = await enter();
  const since = seconds(Date.now());
  const decision = authorize<Order>(kms.store, { action: "kms:own-data-keys", ...about }, (sql) => {
    if (!signedIn.ok) return noMember(signedIn.problem);
    const { value: person } = signedIn;
    const facts = factsOfCaller(caller, {
      action: "create",
      resource: "keys/new",
      account: null,
      purpose,
      person,
    });
    const allowed = checkPolicies(kms.policies(), facts);
    if (!allowed.ok) return allowed;
    if (request.purpose === "signature") return refuse("bad-request", "keys of accounts sign");
    const order = orderOf(request, caller.custodian);
    if (!order.ok) return order;
    const reserved = quota.reserve(sql, NO_ACCOUNT, count, since);
    return reserved.ok ? order : reserved;
  });
  if (!decision.ok) return decision;
  try {
    return await makeOwn(kms, { ...decision.value, retained: request.custody === "kms" }, about);
  } catch (error) {
    return await failedUnderMaster(kms, "kms:make-own-data-keys", about, error);
  } finally {
    quota.done(NO_ACCOUNT, count, since);
  }
}

/** As EDKs that are registered. The caller of this has decided, and answers for what is thrown. */
export async function makeOwn(
  { store, hsm, ledger, backEnd, trust, neighbours }: Context,
  {
    count,
    purpose,
    algorithm,
    policy,
    retained,
    successor,
  }: Order & { retained: boolean; successor?: Successor },
  about: About,
): Promise<Result<{ edks: string[] }>> {
  const { caller } = about;
  requireHsm(backEnd);
  const masterKey = await requireWorkingMasterKey(hsm, store.tenant);
  const master = await masterNamed(hsm, masterKey);
  const wrapped = await makeOwnDataKeys(hsm, ledger, master, count);
  const now = seconds(Date.now());
  const edks = wrapped.map((key): TenantEdk => {
    return {
      version: 1,
      keyId: successor?.keyId ?? crypto.randomUUID(),
      keyVersion: successor?.keyVersion ?? 1,
      algorithm,
      tenant: store.tenant,
      owner: caller.user,
      created: now,
      purpose,
      masterKey,
      ...(retained
        ? { wrapping: "retained-own", wrappedKey: "" }
        : { wrapping: master.isPair ? "RSA-OAEP-256-L" : "A256KWP", wrappedKey: encodeBase64url(key) }),
      policy,
    };
  });
  const signed = await signEdks(hsm, await trust.list(), edks);
  if (retained) {
    const made = edks.map((edk, n) => ({
      edk,
      token: signed[n] ?? "",
      wrapped: wrapped[n] ?? new Uint8Array(),
    }));
    await retainAtHsm({ store, hsm }, caller.client, underMaster(master), made, now);
  }
  // While the HSM worked the custodian may have signed out. Then nobody gets these keys.
  const [signedIn, settle] = await Promise.all([neighbours.IAM.signedIn(caller), successor?.again()]);
  return authorize(store, { action: "kms:release-own-data-keys", ...about }, (sql) => {
    const settled = signedIn.ok
      ? (settle?.(sql, signedIn.value) ?? ok(undefined))
      : noMember(signedIn.problem);
    if (!settled.ok) {
      if (retained)
        giveRetainedUp(
          sql,
          edks.map(({ keyId, keyVersion }) => ({ id: keyId, version: keyVersion })),
        );
      return settled;
    }
    insertDataKeys(sql, caller.client, edks);
    if (retained) keepRetained(sql, edks);
    return ok({ edks: signed });
  });
}
