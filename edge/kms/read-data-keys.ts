/** Enc(data) for an instance that asks itself, by key identifier or all of an account (W2 to W5): from memory, or else from the HSM. */

import type { InstanceCaller } from "../caller.ts";
import { type Enrolled, LADDER } from "../enrolled.ts";
import type { Person } from "../person.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import { findVersion, nameOf, type Row, type Version, versionsOf } from "./account-data-keys.ts";
import type { KeyCache } from "./cache/index.ts";
import { type Context, type Door, failed, noMember } from "./context.ts";
import { fetchDataKeys, StoredKeyRefused } from "./encrypted-data.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import { findDataKeys } from "./registry.ts";
import { isScheduled } from "./schedule-data-key.ts";
import { checkLives } from "./shred.ts";
import { askStanding, authorizeInstance } from "./standing.ts";

/** Keys of one answer. */
const MAX_LISTED = 100;

/** Errors: `not-found` for a key that is not this account's, or not this app's. */
export async function readDataKey(
  door: Door,
  cache: KeyCache<string>,
  caller: InstanceCaller,
  { account, key }: { account: string; key: Version },
): Promise<Result<{ edk: string }>> {
  const find = (sql: SqlStorage): Decision<Row[]> => {
    const row = findVersion(sql, caller.client, key);
    if (row !== null) return ok([row]);
    return isScheduled(sql, key)
      ? refuse("pending-deletion", "the data key is scheduled for deletion")
      : refuse("not-found", "no such data key");
  };
  const read = await release(door, cache, caller, { account, what: nameOf(key), find });
  if (!read.ok) return read;
  const [edk] = read.value;
  return edk === undefined ? await gone(door, caller, account, nameOf(key)) : ok({ edk });
}

/** The newest first. */
export async function listDataKeys(
  door: Door,
  cache: KeyCache<string>,
  caller: InstanceCaller,
  account: string,
): Promise<Result<{ edks: string[] }>> {
  const find = (sql: SqlStorage): Decision<Row[]> => ok(versionsOf(sql, caller.client, MAX_LISTED));
  const read = await release(door, cache, caller, { account, what: "all", find });
  return read.ok ? ok({ edks: read.value }) : read;
}

/** The rows are here, and the HSM has the key no more. */
async function gone(
  door: Door,
  caller: InstanceCaller,
  account: string,
  what: string,
): Promise<Result<never>> {
  const about = { caller, resource: `account/${account}/${what}`, requestId: caller.requestId };
  return door.refuse({ action: "kms:read-data-key", ...about }, refuse("not-found", "gone at the HSM"));
}

type Wanted = { account: string; what: string; find: (sql: SqlStorage) => Decision<Row[]> };

async function release(
  { neighbours, enter, refuse: refused }: Door,
  cache: KeyCache<string>,
  caller: InstanceCaller,
  { account, what, find }: Wanted,
): Promise<Result<string[]>> {
  const about = { caller, resource: `account/${account}/${what}`, requestId: caller.requestId };
  const standing = await askStanding(neighbours, caller, account);
  const asked = { action: "kms:read-data-key", ...about };
  if (!standing.signedIn.ok) return refused(asked, noMember(standing.signedIn.problem));
  const kms = await enter();
  const check = (sql: SqlStorage, enrolled: Enrolled, person: Person) => {
    const rows = enabled(sql, find(sql));
    return rows.ok ? allowed(kms, { caller, account, enrolled, person }, rows.value) : rows;
  };
  const decision = authorizeInstance(kms.store, asked, standing, LADDER, check);
  if (!decision.ok) return decision;
  try {
    const edks = await fromCache(kms, cache, account, decision.value);
    // The HSM may have been asked: meanwhile the instance may have ended, or a key: it is not among the rows of the second decision.
    const again = await askStanding(neighbours, caller, account);
    const releasing = { action: "kms:release-data-key", ...about };
    const released = authorizeInstance(kms.store, releasing, again, LADDER, check);
    if (!released.ok) return released;
    return ok(released.value.flatMap((row) => edks.get(nameOf(row)) ?? []));
  } catch (error) {
    if (error instanceof StoredKeyRefused) {
      const why = refuse("key-refused", "what is stored of the key is not what was signed");
      return refused({ action: "kms:data-key-at-hsm", ...about }, why);
    }
    return failed(kms, "kms:data-key-at-hsm", about, error);
  }
}

/** Those that may still be used. */
function enabled(sql: SqlStorage, found: Decision<Row[]>): Decision<Row[]> {
  const lives = checkLives(sql);
  if (!lives.ok) return lives;
  if (!found.ok) return found;
  const disabled = findDataKeys(sql, found.value).some((record) => record?.state !== "enabled");
  return disabled ? refuse("forbidden", "key is disabled") : found;
}

/** Under the policies that stand: all of them, or the answer would tell which are not. */
function allowed(
  kms: Pick<Context, "policies">,
  by: { caller: InstanceCaller; account: string; enrolled: Enrolled; person: Person },
  rows: Row[],
): Decision<Row[]> {
  const policies = kms.policies();
  const { caller, account, person, enrolled } = by;
  const resource = `accounts/${account}`;
  const of = { action: "release", wrapping: "RSA-OAEP" } as const;
  const facts = factsOfCaller(caller, { ...of, resource, account, instance: enrolled, person });
  for (const { id } of rows) {
    const decision = checkPolicies(policies, { ...facts, resource: `accounts/${account}/keys/${id}` });
    if (!decision.ok) return decision;
  }
  return ok(rows);
}

async function fromCache(
  kms: Context,
  cache: KeyCache<string>,
  account: string,
  rows: Row[],
): Promise<Map<string, string>> {
  const edks = new Map<string, string>();
  // One after the other: the first brings the others with it.
  for (const row of rows) {
    const edk = await cache.get(nameOf(row), () => fetchDataKeys(kms, account, row));
    if (edk !== null) edks.set(nameOf(row), edk);
  }
  return edks;
}
