/**
 * Orders for data keys that come from a seed (M9), of an account or of the tenant itself: the HSM makes nothing yet, so what is signed and
 * registered is which seed, by its digest, and how its key is derived.
 */

import { seconds } from "#protocol/clock.ts";
import type { DataKeysRequest } from "#protocol/contract/index.ts";
import { seedKeyName } from "#protocol/hierarchy/index.ts";
import type { SeedEdk } from "#protocol/keys/index.ts";
import { SEED_PARAMETERS } from "#protocol/seed.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result, refuse } from "../result.ts";
import { requireHsm } from "./back-ends/back-end.ts";
import { askPerson, type Door, failed, noMember, resourceOf } from "./context.ts";
import { orderOf } from "./order.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import type { DataKeyQuota } from "./quota.ts";
import { insertDataKeys, NO_ACCOUNT } from "./registry.ts";
import { checkLives } from "./shred.ts";
import { signEdks } from "./signing.ts";

export async function issueSeedKeys(
  { neighbours, enter, refuse: refused }: Door,
  quota: DataKeyQuota,
  caller: Caller,
  request: DataKeysRequest & Required<Pick<DataKeysRequest, "seed">>,
): Promise<Result<{ edks: string[] }>> {
  const { account, count, seed } = request;
  const { tenant, requestId } = caller;
  const about = { caller, resource: account === undefined ? "keys/new" : `account/${account}`, requestId };
  const action = "kms:seed-keys";
  const ask = () => askPerson(neighbours, caller, account);
  const member = await ask();
  if (!member.ok) return refused({ action, ...about }, noMember(member.problem));
  const kms = await enter();
  const { store, hsm, trust } = kms;
  const since = seconds(Date.now());
  const decision = authorize(store, { action, ...about }, (sql) => {
    const { value: person } = member;
    if (person.as === "reader") return refuse("forbidden", "a reader has no keys made");
    const facts = factsOfCaller(caller, {
      action: "create",
      resource: resourceOf("new", account),
      account: account ?? null,
      purpose: request.purpose,
      person,
    });
    const allowed = checkPolicies(kms.policies(), facts);
    if (!allowed.ok) return allowed;
    const lives = account === undefined ? ok(null) : checkLives(sql);
    if (!lives.ok) return lives;
    const order = orderOf(request, account === undefined ? caller.custodian : undefined);
    if (!order.ok) return order;
    const reserved = quota.reserve(sql, account ?? NO_ACCOUNT, count, since);
    return reserved.ok ? order : reserved;
  });
  if (!decision.ok) return decision;
  const { purpose, algorithm, policy } = decision.value;
  try {
    requireHsm(kms.backEnd);
    const key = await hsm.locate(seedKeyName(tenant));
    const { salt, digest } = seed;
    const edks = seed.labels.map((label): SeedEdk => {
      return {
        version: 1,
        keyId: crypto.randomUUID(),
        keyVersion: 1,
        algorithm,
        tenant,
        ...(account !== undefined && { account }),
        owner: caller.user,
        created: seconds(Date.now()),
        purpose,
        wrapping: "seed",
        wrappedKey: "",
        seed: { parameters: SEED_PARAMETERS, key, label, salt, digest },
        policy,
      };
    });
    const signed = await signEdks(hsm, await trust.list(), edks);
    // While the HSM signed the custodian may have left or signed out, the account been shredded.
    const again = await ask();
    return authorize(store, { action: "kms:release-seed-keys", ...about }, (sql) => {
      if (!again.ok) return noMember(again.problem);
      const lives = account === undefined ? ok(null) : checkLives(sql);
      if (!lives.ok) return lives;
      insertDataKeys(sql, caller.client, edks);
      return ok({ edks: signed });
    });
  } catch (error) {
    return failed(kms, "kms:sign-seed-keys", about, error);
  } finally {
    quota.done(account ?? NO_ACCOUNT, count, since);
  }
}
