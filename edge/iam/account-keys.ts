/** Enc(account key), as the account's object keeps it. It is ordered from the KMS. */

import { seconds } from "#protocol/clock.ts";
import type { AccountKey } from "./types.ts";

type Row = {
  id: string;
  version: number;
  wrapped: ArrayBuffer;
  master: string;
  public_key: ArrayBuffer | null;
};
/** As the KMS gives it. */
export type OrderedAccountKey = Pick<AccountKey, "wrapped" | "publicKey" | "master">;

const COLUMNS = "id, version, wrapped, master, public_key";

function keyOf({ wrapped, public_key, ...row }: Row): AccountKey {
  const publicKey = public_key === null ? null : new Uint8Array(public_key);
  return { ...row, wrapped: new Uint8Array(wrapped), publicKey };
}

/** The current key of the account whose object this is, or null. */
export function currentAccountKey(sql: SqlStorage): AccountKey | null {
  const [row] = sql.exec<Row>(`SELECT ${COLUMNS} FROM account_keys ORDER BY version DESC LIMIT 1`).toArray();
  return row === undefined ? null : keyOf(row);
}

/** The key with this id, or null. */
export function accountKeyOf(sql: SqlStorage, id: string): AccountKey | null {
  const [row] = sql.exec<Row>(`SELECT ${COLUMNS} FROM account_keys WHERE id = ?`, id).toArray();
  return row === undefined ? null : keyOf(row);
}

/** Whether the account has this very key already, or had it under an earlier master key, wherever its bytes are. `digest`: SHA-256, base64url. */
export function isKeptAccountKey(
  sql: SqlStorage,
  { wrapped, digest }: { wrapped: Uint8Array<ArrayBuffer>; digest: string },
): boolean {
  // Of an earlier release there is no digest of those that are in their rows.
  const known = sql.exec(
    `SELECT 1 FROM account_keys WHERE wrapped = ?
     UNION ALL SELECT 1 FROM account_key_digests d JOIN account_keys k ON k.id = d.id WHERE d.digest = ?`,
    ...[wrapped.buffer, digest],
  );
  return known.toArray().length > 0;
}

/** Keeps another key as the current one; null where the account was shredded meanwhile. */
export function rotatedAccountKey(
  sql: SqlStorage,
  { id, wrapped, publicKey, master }: OrderedAccountKey & { id: string },
): AccountKey | null {
  sql.exec(
    `INSERT INTO account_keys (id, version, wrapped, master, created, public_key)
     SELECT ?, coalesce((SELECT max(version) FROM account_keys), 0) + 1, ?, ?, ?, ? FROM account WHERE deleted IS NULL`,
    ...[id, wrapped.buffer, master, seconds(Date.now()), publicKey?.buffer ?? null],
  );
  return accountKeyOf(sql, id);
}

/** Those that do not stand under this master key, of versions below this one: the newest first, at most 32. */
export function keysNotUnder(
  sql: SqlStorage,
  master: string,
  below: number = Number.MAX_SAFE_INTEGER,
): AccountKey[] {
  const rows = sql.exec<Row>(
    `SELECT ${COLUMNS} FROM account_keys WHERE master <> ? AND version < ? ORDER BY version DESC LIMIT 32`,
    ...[master, below],
  );
  return rows.toArray().map(keyOf);
}

/** The same key under another master key. False where the account was shredded meanwhile. */
export function moveKey(
  sql: SqlStorage,
  { id, wrapped, master }: Pick<AccountKey, "id" | "wrapped" | "master">,
): boolean {
  const moved = sql.exec(
    "UPDATE account_keys SET wrapped = ?, master = ? WHERE id = ? RETURNING id",
    ...[wrapped.buffer, master, id],
  );
  return moved.toArray().length === 1;
}

/** Keeps what the KMS made, unless there is a key already or the account was shredded meanwhile: it gets no key again. */
export function keepAccountKey(
  sql: SqlStorage,
  { id, wrapped, publicKey, master }: OrderedAccountKey & { id: string },
) {
  sql.exec(
    `INSERT INTO account_keys (id, version, wrapped, master, created, public_key)
     SELECT ?, 1, ?, ?, ?, ? FROM account WHERE deleted IS NULL ON CONFLICT DO NOTHING`,
    ...[id, wrapped.buffer, master, seconds(Date.now()), publicKey?.buffer ?? null],
  );
}
