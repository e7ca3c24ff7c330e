/** Keys of an account as its members see and change them in an app (W10, W11): identifiers and times, no key, encrypted or not. */

import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import type { Person } from "../person.ts";
import { type Decision, fail, ok, type Result, refuse } from "../result.ts";
import { rotatedAccountKey } from "./account-keys.ts";
import { type Keeper, newDataKey, takeRenewal } from "./instance-keys.ts";
import {
  findIdentifier,
  forgetIdentifier,
  type ListedIdentifier,
  listIdentifiers,
  setEnd,
} from "./key-identifiers.ts";
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

export function listVersions(keeper: Keeper, of: OfCustodian): Result<ListedIdentifier[]> {
  const { client } = of.caller;
  return decide(keeper, "iam:list-data-keys", of, (sql) =>
    ok(listIdentifiers(sql, { client, purpose: PURPOSE })),
  );
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
  const decision = decide<number>(keeper, "iam:schedule-data-key", of, (sql) => {
    const versions = listIdentifiers(sql, { client, purpose: PURPOSE });
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
  setEnd(store.sql, client, key, decision.value);
  return ok({ ends: decision.value });
}

/** At once, which cannot be cancelled. */
export async function endVersionNow(keeper: Keeper, of: OfCustodian, key: string): Promise<Result<null>> {
  const { store } = keeper;
  const { account, caller } = of;
  const { client, requestId } = caller;
  const decision = decide<null>(keeper, "iam:delete-data-key", of, (sql) => {
    const versions = listIdentifiers(sql, { client, purpose: PURPOSE });
    const found = versions.find(({ keyId, keyVersion }) => `${keyId}.${keyVersion}` === key);
    if (found === undefined) return refuse("not-found", "no such data key");
    return found === versions[0] ? refuse("conflict", "the current data key is replaced first") : ok(null);
  });
  if (!decision.ok) return decision;
  const deleted = await keeper.deleteDataKey({ tenant: store.tenant, account, client, key, requestId });
  if (deleted.ok) forgetIdentifier(store.sql, client, key);
  return deleted;
}

/** Kept after all. */
export async function keepVersion(keeper: Keeper, of: OfCustodian, key: string): Promise<Result<null>> {
  const { store } = keeper;
  const { account, caller } = of;
  const { client, requestId } = caller;
  const decision = decide<null>(keeper, "iam:keep-data-key", of, (sql) =>
    findIdentifier(sql, { client, purpose: PURPOSE, key }) === null
      ? refuse("not-found", "no such data key")
      : ok(null),
  );
  if (!decision.ok) return decision;
  const kept = await keeper.scheduleDataKey({
    tenant: store.tenant,
    account,
    client,
    key,
    requestId,
    ends: null,
  });
  if (kept.ok) setEnd(store.sql, client, key, null);
  return kept;
}
