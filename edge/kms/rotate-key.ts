/**
 * Rotation of one data key (M17): the HSM makes its next version, of the same kind, purpose and policy. The version before opens and
 * verifies from then on, and seals, signs and authenticates nothing that is loaded anew.
 */

import { seconds } from "#protocol/clock.ts";
import { narrow } from "#protocol/policy/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import { type Door, failedUnderMaster, noMember } from "./context.ts";
import { make } from "./issue.ts";
import { checkKey, type Item, READING } from "./loading/index.ts";
import type { Order } from "./order.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import type { DataKeyQuota } from "./quota.ts";
import { findDataKey } from "./registry.ts";
import { checkLives } from "./shred.ts";

/** `item`: the EDK of the newest version, verified, of the account whose object this is. Errors: `forbidden`, `conflict`, `too-many-requests`, `hsm-refused`. */
export async function rotateKey(
  { neighbours, enter, refuse: turnAway }: Door,
  quota: DataKeyQuota,
  caller: Caller,
  { edk }: Item,
): Promise<Result<{ edk: string }>> {
  const { keyId, keyVersion, purpose, algorithm } = edk;
  const { tenant, requestId } = caller;
  const about = { caller, resource: `key/${keyId}.${keyVersion}`, requestId };
  const action = "kms:rotate-key";
  const { account = "" } = edk;
  const accountKey = await neighbours.IAM.accountKey({ tenant, account, caller });
  if (!accountKey.ok) return turnAway({ action, ...about }, noMember(accountKey.problem));
  const kms = await enter();
  const decision = authorize<Order["policy"]>(kms.store, { action, ...about }, (sql) => {
    const { by: person } = accountKey.value;
    if (person.as === "reader") return refuse("forbidden", "a reader has no keys made");
    const now = seconds(Date.now());
    const found = checkKey(caller, { edk, record: findDataKey(sql, keyId, keyVersion), now });
    if (!found.ok) return found;
    const newest = checkNewest(sql, keyId, keyVersion);
    if (!newest.ok) return newest;
    const resource = `accounts/${account}/keys/${keyId}`;
    const facts = factsOfCaller(caller, { action: "create", resource, account, purpose, person });
    const allowed = checkPolicies(kms.policies(), facts);
    if (!allowed.ok) return allowed;
    const lives = checkLives(sql);
    if (!lives.ok) return lives;
    const reserved = quota.reserve(sql, account, 1, now);
    return reserved.ok ? ok(narrow(edk.policy, found.value.policy)) : reserved;
  });
  if (!decision.ok) return decision;
  const successor = {
    ...{ keyId, keyVersion: keyVersion + 1 },
    settle: (sql: SqlStorage) => closeVersion(sql, keyId, keyVersion),
  };
  // Of what may have become a part of a policy since, the version before keeps all; the next one has what it had.
  const order = { count: 1, purpose, algorithm, policy: decision.value, account, retained: false, successor };
  try {
    const made = await make(kms, order as typeof order & Order, accountKey.value, about);
    return made.ok ? ok({ edk: made.value.edks[0] ?? "" }) : made;
  } catch (error) {
    return await failedUnderMaster(kms, "kms:make-data-keys", about, error);
  } finally {
    quota.done(account, 1);
  }
}

function checkNewest(sql: SqlStorage, id: string, version: number): Decision<undefined> {
  const { newest } = sql
    .exec<{ newest: number | null }>("SELECT max(version) AS newest FROM data_keys WHERE id = ?", id)
    .one();
  return newest === version ? ok(undefined) : refuse("conflict", "key has a later version");
}

/** From now on it opens and verifies alone: the policy in its EDK is narrowed by this one. */
function closeVersion(sql: SqlStorage, id: string, version: number): Decision<undefined> {
  // While the HSM worked the key may have been disabled, its deletion been scheduled, or another version been made.
  const newest = checkNewest(sql, id, version);
  if (!newest.ok) return newest;
  const record = findDataKey(sql, id, version);
  if (record?.state !== "enabled" || typeof record.ends === "number")
    return refuse("forbidden", "key was disabled while the HSM worked");
  const { policy } = record;
  const closed = { ...policy, operations: policy.operations.filter((operation) => READING.has(operation)) };
  sql.exec(
    "UPDATE data_keys SET policy = ? WHERE id = ? AND version = ?",
    ...[JSON.stringify(closed), id, version],
  );
  return ok(undefined);
}
