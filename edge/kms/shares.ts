/**
 * Shares of an account's documents with other accounts, in the object of the account whose they are: so it alone says, at each release, whether one
 * still stands. Kept is who may open what until when; the key under the other account's key is in the signed record, which is not here.
 */

import type { SharedWith } from "#protocol/contract/index.ts";
import { isKeyPolicy } from "#protocol/policy/index.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { Version } from "./account-data-keys.ts";
import type { DataKeyRecord } from "./registry.ts";

/** A part of the migrations of an account's object. Times: seconds since 1970. */
export const SHARES_TABLE = `
  CREATE TABLE shares (
    -- That of the data key in the record.
    id TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    document TEXT NOT NULL,
    -- The data key that the document is under.
    key_id TEXT NOT NULL,
    key_version INTEGER NOT NULL,
    -- The other account, and its name.
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The user who shared it.
    by TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    UNIQUE (client, document, account)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX shares_by_key ON shares (key_id, key_version);
`;

/** Of one document, and of all of an account. */
const MAX_OF_DOCUMENT = 50;
const MAX_SHARES = 1000;

export type Share = {
  id: string;
  client: string;
  document: string;
  key: Version;
  account: string;
  name: string;
  by: string;
  created: number;
  expires: number;
};

/** What was shared with this account before gives way. */
export function checkRoomForShare(
  sql: SqlStorage,
  { client, document, account, key, created }: Omit<Share, "id">,
): Decision<null> {
  sql.exec("DELETE FROM shares WHERE expires <= ?", created);
  const { all, here } = sql
    .exec<{ all: number; here: number }>(
      `SELECT count(*) AS "all", coalesce(sum(client = ?1 AND document = ?2), 0) AS here FROM shares
        WHERE NOT (client = ?1 AND document = ?2 AND account = ?3)`,
      ...[client, document, account],
    )
    .one();
  if (all >= MAX_SHARES || here >= MAX_OF_DOCUMENT) return refuse("quota-exceeded", "shares of documents");
  // Whoever has the key for one document must not have it for another: a key is of one document.
  const other = sql.exec(
    "SELECT 1 FROM shares WHERE key_id = ? AND key_version = ? AND document <> ? LIMIT 1",
    ...[key.id, key.version, document],
  );
  return other.toArray().length === 0 ? ok(null) : refuse("key-unusable", "the key is of another document");
}

export function putShare(sql: SqlStorage, share: Share): void {
  const { id, client, document, key, account, name, by, created, expires } = share;
  sql.exec(
    "INSERT OR REPLACE INTO shares VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ...[id, client, document, key.id, key.version, account, name, by, created, expires],
  );
}

/** Of a document, or all of an app: the newest first. */
export function listShares(
  sql: SqlStorage,
  client: string,
  document: string | undefined,
  now: number,
): SharedWith[] {
  return sql
    .exec<Omit<SharedWith, "to"> & { account: string; name: string }>(
      `SELECT id AS share, document, account, name, created, expires FROM shares
        WHERE client = ?1 AND (?2 IS NULL OR document = ?2) AND expires > ?3 ORDER BY created DESC, id LIMIT ${MAX_SHARES}`,
      ...[client, document ?? null, now],
    )
    .toArray()
    .map(({ account, name, ...share }) => ({ ...share, to: { account, name } }));
}

/** False where there is none. */
export function endShare(sql: SqlStorage, client: string, id: string): boolean {
  const ended = sql.exec("DELETE FROM shares WHERE client = ? AND id = ? RETURNING id", client, id);
  return ended.toArray().length === 1;
}

/** Documents that are deleted are shared with nobody. */
export function endSharesOf(sql: SqlStorage, client: string, documents: readonly string[]): void {
  for (const document of documents)
    sql.exec("DELETE FROM shares WHERE client = ? AND document = ?", client, document);
}

/** Of a document among the versions of one: "between" also where there are no others. It changes when another follows it, which ends its shares. */
export function placeOf(
  sql: SqlStorage,
  client: string,
  document: string,
): "newest" | "followed" | "between" {
  const places = sql
    .exec<{ newest: string }>(
      "SELECT newest FROM document_series WHERE client = ?1 AND (newest = ?2 OR first = ?2)",
      ...[client, document],
    )
    .toArray();
  if (places.some(({ newest }) => newest === document)) return "newest";
  return places.length > 0 ? "followed" : "between";
}

export function endAllShares(sql: SqlStorage): void {
  sql.exec("DELETE FROM shares");
}

/** What is released by, of a share that stands: it lives as long as the key that its document is under. Null for one that has ended. */
export function shareRecord(sql: SqlStorage, id: string, now: number): DataKeyRecord | null {
  const [row] = sql
    .exec<{
      account: string;
      client: string;
      state: "enabled" | "disabled";
      expires: number;
      ends: number | null;
      policy: string;
    }>(
      `SELECT s.account, s.client, k.state, min(s.expires, coalesce(k.expires, s.expires)) AS expires, m.ends, k.policy
        FROM shares s JOIN data_keys k ON k.id = s.key_id AND k.version = s.key_version
        LEFT JOIN key_management m ON m.id = k.id AND m.version = k.version
        WHERE s.id = ? AND s.expires > ?`,
      ...[id, now],
    )
    .toArray();
  if (!row) return null;
  const policy: unknown = JSON.parse(row.policy);
  if (!isKeyPolicy(policy)) throw new Error("stored policy is not a policy");
  return { ...row, policy };
}
