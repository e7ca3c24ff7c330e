/** Keys of an account as its members see and change them in an app (W10, W11): identifiers and times, no key, encrypted or not. */

import { seconds } from "#protocol/clock.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import type { ListedIdentifier } from "../key-identifiers.ts";
import type { Person } from "../person.ts";
import { type Decision, fail, ok, type Result, refuse } from "../result.ts";
import { rotatedAccountKey } from "./account-keys.ts";
import { checkSettled } from "./deletion.ts";
import { type Keeper, newDataKey, takeRenewal } from "./instance-keys.ts";
import { checkMember, checkWriter } from "./members.ts";
import type { AccountKey } from "./types.ts";

const PURPOSE = "document";

export type OfCustodian = { account: string; caller: Caller; person: Person };

function decide<T>(
  { store }: Keeper,
  action: string,
  { account, caller }: OfCustodian,
  check: (sql: SqlStorage) => Decision<T>,
): Result<T> {
  const about = { action, caller, resource: `account/${account}`, requestId: caller.requestId };
  return authorize<T>(store, about, (sql) => {
    const member =
      action === "iam:list-data-keys" ? checkMember(sql, caller.user) : checkWriter(sql, caller.user);
    return member.ok ? check(sql) : member;
  });
}

/** The app's in the account. For members alone another is asked; what is refused is decided afterwards, and recorded. */
async function versionsFor(
  { store, identifiers }: Keeper,
  { caller }: OfCustodian,
): Promise<Decision<ListedIdentifier[]>> {
  const { client, user, requestId } = caller;
  const member = checkMember(store.sql, user);
  if (!member.ok) return member;
  const listed = await identifiers.list({ client, purpose: PURPOSE }, requestId);
  return listed.ok ? listed : { ...listed, reason: "the key identifiers cannot be had" };
}

export async function listVersions(keeper: Keeper, of: OfCustodian): Promise<Result<ListedIdentifier[]>> {
  const listed = await versionsFor(keeper, of);
  return decide(keeper, "iam:list-data-keys", of, () => listed);
}

/** W11: another account key; those before it stay for what they wrap. */
export async function renewAccountKey(keeper: Keeper, of: OfCustodian): Promise<Result<AccountKey>> {
  const { account, caller } = of;
  const decision = decide(keeper, "iam:rotate-account-key", of, (sql) => takeRenewal(sql, account));
  if (!decision.ok) return decision;
  const ordered = await keeper.orderAccountKey({ account, requestId: caller.requestId });
  if (!ordered.ok) return ordered;
  const key = rotatedAccountKey(keeper.store.sql, ordered.value);
  return key === null ? fail("forbidden") : ok(key);
}

/** W10: the next version of the data key, by the HSM. `versioned`: whether the tenant's data keys are an account's. */
export async function addVersion(
  keeper: Keeper,
  of: OfCustodian,
  versioned: boolean,
): Promise<Result<{ keyId: string; keyVersion: number }>> {
  const decision = decide(keeper, "iam:renew-data-key", of, (sql) =>
    versioned
      ? takeRenewal(sql, of.account)
      : refuse("conflict", "at this level each document has a key of its own"),
  );
  if (!decision.ok) return decision;
  const made = await newDataKey(keeper, of, { purpose: PURPOSE, renew: true });
  return made.ok ? ok({ keyId: made.value.keyId, keyVersion: made.value.keyVersion }) : made;
}

/** W10: until `ends` it is refused and can be kept after all. One that was scheduled before keeps its time. */
export async function scheduleVersion(
  keeper: Keeper,
  of: OfCustodian,
  key: string,
  ends: number,
): Promise<Result<{ ends: number }>> {
  const { store } = keeper;
  const { account, caller } = of;
  const { client, requestId } = caller;
  const listed = await versionsFor(keeper, of);
  const decision = decide<number>(keeper, "iam:schedule-data-key", of, () => {
    if (!listed.ok) return listed;
    const versions = listed.value;
    const found = versions.find(({ keyId, keyVersion }) => `${keyId}.${keyVersion}` === key);
    if (found === undefined) return refuse("not-found", "no such data key");
    if (found === versions[0]) return refuse("conflict", "the current data key is replaced first");
    return ok(found.ends ?? ends);
  });
  if (!decision.ok) return decision;
  // Known here until the KMS knows it, so that it can be asked for again.
  const order = { tenant: store.tenant, account, client, key, requestId, ends: decision.value };
  const scheduled = await keeper.scheduleDataKey(order);
  if (!scheduled.ok) return scheduled;
  const noted = await keeper.identifiers.setEnd({ client, key, ends: decision.value }, requestId);
  return noted.ok ? ok({ ends: decision.value }) : noted;
}

/** At once, which cannot be cancelled. Errors: `conflict` for the current one, `key-in-use` for one that was current a moment ago. */
export async function endVersionNow(keeper: Keeper, of: OfCustodian, key: string): Promise<Result<null>> {
  const { store } = keeper;
  const { account, caller } = of;
  const { client, requestId } = caller;
  const listed = await versionsFor(keeper, of);
  const decision = decide<null>(keeper, "iam:delete-data-key", of, () => {
    if (!listed.ok) return listed;
    const versions = listed.value;
    const found = versions.find(({ keyId, keyVersion }) => `${keyId}.${keyVersion}` === key);
    if (found === undefined) return refuse("not-found", "no such data key");
    const { settling } = keeper;
    // The newest first: before it stands the one that has replaced it.
    const next = versions[versions.indexOf(found) - 1];
    return checkSettled(next?.created ?? null, { now: seconds(Date.now()), settling });
  });
  if (!decision.ok) return decision;
  const deleted = await keeper.deleteDataKey({ tenant: store.tenant, account, client, key, requestId });
  if (!deleted.ok) return deleted;
  const forgotten = await keeper.identifiers.forget({ client, key }, requestId);
  return forgotten.ok ? deleted : forgotten;
}

/** Kept after all. */
export async function keepVersion(keeper: Keeper, of: OfCustodian, key: string): Promise<Result<null>> {
  const { store } = keeper;
  const { account, caller } = of;
  const { client, requestId } = caller;
  const member = checkMember(store.sql, caller.user);
  const looked = member.ok
    ? await keeper.identifiers.look({ client, purpose: PURPOSE, key }, requestId)
    : member;
  const decision = decide<null>(keeper, "iam:keep-data-key", of, () => {
    if (!looked.ok) return refuse(looked.problem.code, "the key identifiers cannot be had");
    return looked.value.found === null ? refuse("not-found", "no such data key") : ok(null);
  });
  if (!decision.ok) return decision;
  const kept = await keeper.scheduleDataKey({
    tenant: store.tenant,
    account,
    client,
    key,
    requestId,
    ends: null,
  });
  if (!kept.ok) return kept;
  const noted = await keeper.identifiers.setEnd({ client, key, ends: null }, requestId);
  return noted.ok ? kept : noted;
}
