/** Key identifiers (KI) of an account's data keys, by purpose and app: what the IAM says an instance is to ask the KMS for (W2, W11). */

/** A part of the migrations of an account's object. `created`: seconds since 1970. */
export const KEY_IDENTIFIERS_TABLE = `
  CREATE TABLE key_identifiers (
    id TEXT NOT NULL, version INTEGER NOT NULL, client TEXT NOT NULL, purpose TEXT NOT NULL,
    account_key TEXT NOT NULL, account_key_version INTEGER NOT NULL, created INTEGER NOT NULL,
    PRIMARY KEY (id, version)
  ) STRICT, WITHOUT ROWID;
`;

export type KeyIdentifier = {
  keyId: string;
  keyVersion: number;
  accountKey: { id: string; version: number };
};

/** `ends`: when it will be deleted, if that is scheduled. */
export type ListedIdentifier = KeyIdentifier & { created: number; ends: number | null };

type Row = {
  created: number;
  ends: number | null;
  id: string;
  version: number;
  account_key: string;
  account_key_version: number;
};

/** The current one of this app, or the one with this name (`<id>.<version>`) if it is this app's; null where there is none. */
export function findIdentifier(
  sql: SqlStorage,
  { client, purpose, key }: { client: string; purpose: string; key?: string | undefined },
): KeyIdentifier | null {
  const [id = null, version = null] = key?.split(".") ?? [];
  const [row] = sql
    .exec<Row>(
      `SELECT * FROM key_identifiers WHERE client = ? AND purpose = ? AND (?3 IS NULL OR (id = ?3 AND version = ?4))
         AND (ends IS NULL OR ends > unixepoch())
       ORDER BY version DESC LIMIT 1`,
      ...[client, purpose, id, version === null ? null : Number(version)],
    )
    .toArray();
  if (row === undefined) return null;
  const accountKey = { id: row.account_key, version: row.account_key_version };
  return { keyId: row.id, keyVersion: row.version, accountKey };
}

/** All of this app's, the newest first, at most 100. */
export function listIdentifiers(
  sql: SqlStorage,
  { client, purpose }: { client: string; purpose: string },
): ListedIdentifier[] {
  const rows = sql.exec<Row>(
    `SELECT * FROM key_identifiers WHERE client = ? AND purpose = ? AND (ends IS NULL OR ends > unixepoch())
     ORDER BY version DESC LIMIT 100`,
    ...[client, purpose],
  );
  return rows.toArray().map((row) => ({
    ...{ keyId: row.id, keyVersion: row.version, created: row.created, ends: row.ends },
    accountKey: { id: row.account_key, version: row.account_key_version },
  }));
}

/** When it will be deleted, in seconds since 1970; null to keep it. */
export function setEnd(sql: SqlStorage, client: string, key: string, ends: number | null): void {
  const [id = "", version = ""] = key.split(".");
  sql.exec(
    "UPDATE key_identifiers SET ends = ? WHERE id = ? AND version = ? AND client = ?",
    ...[ends, id, Number(version), client],
  );
}

/** When that is scheduled to be deleted. */
export function endOfIdentifier(sql: SqlStorage, client: string, key: string): number | null {
  const [id = "", version = ""] = key.split(".");
  const [row] = sql
    .exec<{ ends: number | null }>(
      "SELECT ends FROM key_identifiers WHERE id = ? AND version = ? AND client = ?",
      ...[id, Number(version), client],
    )
    .toArray();
  return row?.ends ?? null;
}

/** Of an account that lives; a second time changes nothing. */
export function keepIdentifier(
  sql: SqlStorage,
  { client, purpose }: { client: string; purpose: string },
  { keyId, keyVersion, accountKey }: KeyIdentifier,
  now: number,
): void {
  sql.exec(
    `INSERT INTO key_identifiers (id, version, client, purpose, account_key, account_key_version, created) SELECT ?, ?, ?, ?, ?, ?, ? FROM account WHERE deleted IS NULL ON CONFLICT DO NOTHING`,
    ...[keyId, keyVersion, client, purpose, accountKey.id, accountKey.version, now],
  );
}

export function forgetIdentifier(sql: SqlStorage, client: string, key: string): void {
  const [id = "", version = ""] = key.split(".");
  sql.exec(
    "DELETE FROM key_identifiers WHERE id = ? AND version = ? AND client = ?",
    ...[id, Number(version), client],
  );
}
