/**
 * Management of an account's data keys (M17): list, describe, tag, disable, enable, schedule their deletion and call it off. What
 * is changed here holds at the next release; what an instance has loaded it keeps until its receipt ends.
 */

import { seconds } from "#protocol/clock.ts";
import type { DescribedKey, KeyChange, ListedKeys, ListKeysQuery } from "#protocol/contract/index.ts";
import { isKeyPolicy } from "#protocol/policy/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import type { Member } from "../person.ts";
import { type Decision, ok, type Result, refuse } from "../result.ts";
import { nameOf, type Version } from "./account-data-keys.ts";
import { type Context, type Door, noMember } from "./context.ts";
import { checkPolicies, factsOfCaller } from "./policies.ts";

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

/** Shortest time from the decision to a deletion: what was done by mistake or by somebody else shows meanwhile. */
export const NOTICE_SECONDS = 24 * 3600;
const PAGE = 50;

type Row = {
  id: string;
  version: number;
  account: string;
  owner: string;
  purpose: string;
  created: number;
  expires: number | null;
  state: "enabled" | "disabled";
  policy: string;
  tags: string | null;
  ends: number | null;
  releases: number | null;
  last_released: number | null;
};

const COLUMNS = `SELECT id, version, account, owner, purpose, created, expires, state, policy, tags, ends, releases,
  last_released FROM data_keys LEFT JOIN key_management USING (id, version)`;

type Asking = { caller: Caller; account: string };

export function listKeys(
  door: Door,
  of: Asking,
  { after, purpose, state, tag, limit }: ListKeysQuery,
): Promise<Result<ListedKeys>> {
  const most = limit === undefined ? PAGE : Number(limit);
  const [id, version] = after === undefined ? ["", 0] : versionOf(after);
  return decided(door, "kms:list-keys", of, `account/${of.account}/keys`, (sql) => {
    // One more than asked for tells whether there are more. By the app: others' keys are none of its business (M13).
    const rows = sql
      .exec<Row>(
        `${COLUMNS} WHERE client = ? AND (id, version) > (?, ?) AND (? IS NULL OR purpose = ?) AND (? IS NULL OR state = ?)
          AND (? IS NULL OR EXISTS (SELECT 1 FROM json_each(coalesce(tags, '{}')) WHERE key = ?))
          ORDER BY id, version LIMIT ?`,
        ...[of.caller.client, id, version],
        ...[purpose ?? null, purpose ?? null, state ?? null, state ?? null, tag ?? null, tag ?? null],
        most + 1,
      )
      .toArray();
    return ok({ keys: rows.slice(0, most).map(described), more: rows.length > most });
  });
}

export function describeKey(door: Door, of: Asking, key: Version): Promise<Result<DescribedKey>> {
  return decided(door, "kms:describe-key", of, `account/${of.account}/${nameOf(key)}`, (sql) =>
    found(sql, of.caller, key),
  );
}

export function changeKey(
  door: Door,
  of: Asking,
  key: Version,
  change: KeyChange,
): Promise<Result<DescribedKey>> {
  const { caller, account } = of;
  return decided(
    door,
    "kms:change-key",
    of,
    `account/${account}/${nameOf(key)}`,
    (sql, { policies }, person) => {
      if (person.as === "reader") return refuse("forbidden", "a reader changes nothing");
      const before = found(sql, caller, key);
      if (!before.ok) return before;
      const resource = `accounts/${account}/keys/${key.id}`;
      const facts = factsOfCaller(caller, {
        action: "create",
        resource,
        account,
        purpose: before.value.purpose,
        person,
      });
      const allowed = checkPolicies(policies(), facts);
      if (!allowed.ok) return allowed;
      const now = seconds(Date.now());
      const { ends, state, tags } = change;
      const due = before.value.ends;
      if (due !== undefined && due <= now) return refuse("conflict", "key is deleted");
      if (typeof ends === "number" && ends < now + NOTICE_SECONDS)
        return refuse("conflict", "a deletion takes a day's notice");
      if (state !== undefined)
        sql.exec("UPDATE data_keys SET state = ? WHERE id = ? AND version = ?", state, key.id, key.version);
      if (tags !== undefined) keep(sql, key, "tags", JSON.stringify(tags));
      if (ends !== undefined) keep(sql, key, "ends", ends);
      return found(sql, caller, key);
    },
  );
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

function keep(
  sql: SqlStorage,
  { id, version }: Version,
  column: "tags" | "ends",
  value: string | number | null,
) {
  sql.exec(
    `INSERT INTO key_management (id, version, ${column}) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET ${column} = excluded.${column}`,
    ...[id, version, value],
  );
}

/** When it is deleted; null: never. Inside `authorize()`. */
export function keepEnd(sql: SqlStorage, key: Version, ends: number | null): void {
  keep(sql, key, "ends", ends);
}

function found(sql: SqlStorage, { client }: Caller, { id, version }: Version): Decision<DescribedKey> {
  const [row] = sql
    .exec<Row>(`${COLUMNS} WHERE client = ? AND id = ? AND version = ?`, client, id, version)
    .toArray();
  return row ? ok(described(row)) : refuse("not-found", "no such data key of this app");
}

/** Members of the account alone, whoever made the key. */
async function decided<T>(
  { neighbours, enter, refuse: turnAway }: Door,
  action: string,
  { caller, account }: Asking,
  resource: string,
  check: (sql: SqlStorage, kms: Context, member: Member) => Decision<T>,
): Promise<Result<T>> {
  const { tenant, requestId } = caller;
  const about = { action, caller, resource, requestId };
  const member = await neighbours.IAM.member({ tenant, account, caller });
  if (!member.ok) return turnAway(about, noMember(member.problem));
  const kms = await enter();
  return authorize(kms.store, about, (sql) => check(sql, kms, member.value));
}

export function versionOf(name: string): [string, number] {
  const at = name.lastIndexOf(".");
  return [name.slice(0, at), Number(name.slice(at + 1))];
}

function described(row: Row): DescribedKey {
  const policy: unknown = JSON.parse(row.policy);
  if (!isKeyPolicy(policy)) throw new Error("stored policy is not a policy");
  const { account, owner, purpose, created, state, expires, ends } = row;
  return {
    ...{ key: nameOf(row), account, owner, purpose, created, state },
    tags: JSON.parse(row.tags ?? "{}") as Record<string, string>,
    operations: policy.operations,
    releases: row.releases ?? 0,
    ...(expires !== null && { expires }),
    ...(ends !== null && { ends }),
    ...(row.last_released !== null && { lastReleased: row.last_released }),
  };
}
