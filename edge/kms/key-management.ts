/**
 * Management of data keys, of an account or of the tenant itself (M17): list, describe, tag, disable, enable, schedule their deletion and call it off.
 * What is changed here holds at the next release; what an instance has loaded it keeps until its receipt ends.
 */

import { seconds } from "#protocol/clock.ts";
import type { DescribedKey, KeyChange, ListedKeys, ListKeysQuery } from "#protocol/contract/index.ts";
import { isKeyPolicy } from "#protocol/policy/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import { nameOf, type Version, versionNamed } from "./account-data-keys.ts";
import { type Asking, askPerson, type Context, type Door, noMember, resourceOf } from "./context.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";
import { NO_ACCOUNT } from "./registry.ts";

/** A part of the migrations of each object that has data keys. Times: seconds since 1970. */
export const KEY_MANAGEMENT_TABLE = `
  -- What is known of a data key beside its row in data_keys; no row: nothing yet.
  CREATE TABLE key_management (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- JSON, text to text.
    tags TEXT NOT NULL DEFAULT '{}',
    -- When it is deleted. From the decision on it is released to nobody.
    ends INTEGER,
    releases INTEGER NOT NULL DEFAULT 0,
    last_released INTEGER,
    PRIMARY KEY (id, version)
  ) STRICT, WITHOUT ROWID;
`;

/** A part of a principal's: the admin by whose decision a key is disabled. Then who has ordered it cannot call that off. */
export const DISABLED_BY = "ALTER TABLE key_management ADD COLUMN disabled_by TEXT;";

/** Shortest time from the decision to a deletion: what was done by mistake or by somebody else shows meanwhile. */
const NOTICE_SECONDS = 24 * 3600;
const PAGE = 50;

/** A version as it stands in the object that has it. */
export type Managed = {
  id: string;
  version: number;
  account: string;
  client: string;
  owner: string;
  purpose: string;
  created: number;
  expires: number | null;
  state: "enabled" | "disabled";
  standing: "enabled" | "disabled" | "ending";
  policy: string;
  tags: string | null;
  ends: number | null;
  releases: number | null;
  last_released: number | null;
};

const COLUMNS = `SELECT id, version, account, client, owner, purpose, created, expires, state, policy, tags, ends, releases,
  last_released, iif(ends IS NULL, state, 'ending') AS standing FROM data_keys LEFT JOIN key_management USING (id, version)`;

/** Whose keys: an account's, or where none is said the tenant's own that the caller has ordered, in whose object they are. */
export type OfKeys = { caller: Caller; account?: string | undefined };

/** By the app: others' keys are none of its business (M13). */
export function listKeys(door: Door, of: OfKeys, query: ListKeysQuery): Promise<Result<ListedKeys>> {
  return decided(door, "kms:list-keys", of, undefined, (sql) => {
    const { rows, more } = pageOf(sql, of.caller.client, query);
    return ok({ keys: rows.map(described), more });
  });
}

export function describeKey(door: Door, of: OfKeys, key: Version): Promise<Result<DescribedKey>> {
  return decided(door, "kms:describe-key", of, key, (sql) => {
    const found = findOf(sql, of.caller, key);
    return found.ok ? ok(described(found.value)) : found;
  });
}

export function changeKey(
  door: Door,
  of: OfKeys,
  key: Version,
  change: KeyChange,
): Promise<Result<DescribedKey>> {
  const { caller, account } = of;
  return decided(door, "kms:change-key", of, key, (sql, { policies }, person) => {
    if (person.as === "reader") return refuse("forbidden", "a reader changes nothing");
    const before = findOf(sql, caller, key);
    if (!before.ok) return before;
    const facts = factsOfCaller(caller, {
      ...{ action: "create", resource: resourceOf(key.id, account), account: account ?? null },
      ...{ purpose: before.value.purpose, person },
    });
    const allowed = checkPolicies(policies(), facts);
    if (!allowed.ok) return allowed;
    const free = account === undefined ? checkAdmins(sql, key, change) : ok(null);
    if (!free.ok) return free;
    const changed = put(sql, before.value, change);
    return changed.ok ? ok(described(changed.value)) : changed;
  });
}

/** A page of all that are here, or of one app's. */
export function pageOf(
  sql: SqlStorage,
  client: string | null,
  { after, purpose, state, tag, limit }: ListKeysQuery,
): { rows: Managed[]; more: boolean } {
  const most = limit === undefined ? PAGE : Number(limit);
  const { id, version } = after === undefined ? { id: "", version: 0 } : versionNamed(after);
  // One more than asked for tells whether there are more.
  const rows = sql
    .exec<Managed>(
      `${COLUMNS} WHERE (? IS NULL OR client = ?) AND (id, version) > (?, ?) AND (? IS NULL OR purpose = ?)
        AND (? IS NULL OR standing = ?)
        AND (? IS NULL OR EXISTS (SELECT 1 FROM json_each(coalesce(tags, '{}')) WHERE key = ?))
        ORDER BY id, version LIMIT ?`,
      ...[client, client, id, version, purpose ?? null, purpose ?? null],
      ...[state ?? null, state ?? null, tag ?? null, tag ?? null, most + 1],
    )
    .toArray();
  return { rows: rows.slice(0, most), more: rows.length > most };
}

/** Errors: `not-found`. */
export function find(sql: SqlStorage, { id, version }: Version): Decision<Managed> {
  const [row] = sql.exec<Managed>(`${COLUMNS} WHERE id = ? AND version = ?`, id, version).toArray();
  return row ? ok(row) : refuse("not-found", "no such data key");
}

/** Who may change it has been asked. Inside `authorize()`. Errors: `conflict`. */
export function put(sql: SqlStorage, before: Managed, { ends, state, tags }: KeyChange): Decision<Managed> {
  const now = seconds(Date.now());
  if (before.ends !== null && before.ends <= now) return refuse("conflict", "key is deleted");
  if (typeof ends === "number" && ends < now + NOTICE_SECONDS)
    return refuse("conflict", "a deletion takes a day's notice");
  const { id, version } = before;
  if (state !== undefined)
    sql.exec("UPDATE data_keys SET state = ? WHERE id = ? AND version = ?", state, id, version);
  if (tags !== undefined) keep(sql, before, "tags", JSON.stringify(tags));
  if (ends !== undefined) keep(sql, before, "ends", ends);
  return find(sql, before);
}

/** Inside `authorize()`. */
export function keep(
  sql: SqlStorage,
  { id, version }: Version,
  column: "tags" | "ends" | "ended_by" | "disabled_by",
  value: string | number | null,
): void {
  sql.exec(
    `INSERT INTO key_management (id, version, ${column}) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET ${column} = excluded.${column}`,
    ...[id, version, value],
  );
}

/** The admins by whose decision a key of the tenant itself ends, and is disabled; null: not by an admin's. */
export function adminsOf(
  sql: SqlStorage,
  { id, version }: Version,
): { ended_by: string | null; disabled_by: string | null } {
  const [row] = sql
    .exec<{ ended_by: string | null; disabled_by: string | null }>(
      "SELECT ended_by, disabled_by FROM key_management WHERE id = ? AND version = ?",
      ...[id, version],
    )
    .toArray();
  return row ?? { ended_by: null, disabled_by: null };
}

/** What an admin has decided who has ordered the key does not change back. */
function checkAdmins(sql: SqlStorage, key: Version, { ends, state }: KeyChange): Decision<null> {
  const { ended_by, disabled_by } = adminsOf(sql, key);
  if (ends !== undefined && ended_by !== null) return refuse("forbidden", "an admin has decided on its end");
  if (state !== undefined && disabled_by !== null) return refuse("forbidden", "an admin has disabled it");
  return ok(null);
}

/** Counts a release of each; inside the decision that allows it. */
export function countReleases(sql: SqlStorage, keys: readonly Version[], now: number): void {
  sql.exec(
    `INSERT INTO key_management (id, version, releases, last_released)
      SELECT value ->> 0, value ->> 1, 1, ? FROM json_each(?) WHERE true
      ON CONFLICT DO UPDATE SET releases = releases + 1, last_released = excluded.last_released`,
    ...[now, JSON.stringify(keys.map(({ id, version }) => [id, version]))],
  );
}

/** Of that app. */
function findOf(sql: SqlStorage, { client }: Caller, key: Version): Decision<Managed> {
  const found = find(sql, key);
  return found.ok && found.value.client !== client
    ? refuse("not-found", "no such data key of this app")
    : found;
}

/** Members of the account alone, whoever made the key; of the tenant's own who has ordered it, since they are in the caller's own object. */
async function decided<T>(
  { neighbours, enter, refuse: turnAway }: Door,
  action: string,
  { caller, account }: OfKeys,
  key: Version | undefined,
  check: (sql: SqlStorage, kms: Context, person: Asking) => Decision<T>,
): Promise<Result<T>> {
  const name = key && nameOf(key);
  const own = name === undefined ? "keys" : `key/${name}`;
  const resource = account === undefined ? own : `account/${account}/${name ?? "keys"}`;
  const about = { action, caller, resource, requestId: caller.requestId };
  const person = await askPerson(neighbours, caller, account);
  if (!person.ok) return turnAway(about, noMember(person.problem));
  const kms = await enter();
  return authorize(kms.store, about, (sql) => check(sql, kms, person.value));
}

export function described(row: Managed): DescribedKey {
  const policy: unknown = JSON.parse(row.policy);
  if (!isKeyPolicy(policy)) throw new Error("stored policy is not a policy");
  const { account, owner, purpose, created, state, expires, ends } = row;
  return {
    ...{ key: nameOf(row), owner, purpose, created, state },
    ...(account !== NO_ACCOUNT && { account }),
    tags: JSON.parse(row.tags ?? "{}") as Record<string, string>,
    operations: policy.operations,
    releases: row.releases ?? 0,
    ...(expires !== null && { expires }),
    ...(ends !== null && { ends }),
    ...(row.last_released !== null && { lastReleased: row.last_released }),
  };
}
