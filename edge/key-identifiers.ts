/**
 * Key identifiers (KI) of an account's data keys, by purpose and app: what the IAM says an instance is to ask the KMS for (W2, W11). The table
 * is the IAM's, the app's or the KMS's (W15); who asks for them is decided by the IAM alone.
 */

/** A part of the migrations of an account's object at the IAM, which has got `ends` later. `created`: seconds since 1970. */
export const KEY_IDENTIFIERS_TABLE = `
  CREATE TABLE key_identifiers (
    id TEXT NOT NULL, version INTEGER NOT NULL, client TEXT NOT NULL, purpose TEXT NOT NULL,
    account_key TEXT NOT NULL, account_key_version INTEGER NOT NULL, created INTEGER NOT NULL,
    PRIMARY KEY (id, version)
  ) STRICT, WITHOUT ROWID;
`;

/** A part of the migrations of an account's object elsewhere. */
export const PLACED_IDENTIFIERS_TABLE = `
  ${KEY_IDENTIFIERS_TABLE}
  ALTER TABLE key_identifiers ADD COLUMN ends INTEGER;
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
  client: string;
  purpose: string;
  account_key: string;
  account_key_version: number;
};

/** What the IAM asks of the table, wherever that is. `key`: `<id>.<version>`. Times: seconds since 1970. */
export type IdentifierAsk =
  | { ask: "look"; client: string; purpose: string; key?: string | undefined }
  | { ask: "list"; client: string; purpose: string }
  | { ask: "keep"; client: string; purpose: string; identifier: KeyIdentifier; now: number }
  | { ask: "set-end"; client: string; key: string; ends: number | null }
  | { ask: "forget"; client: string; key: string }
  | { ask: "all" }
  /** All of these, and no other. */
  | { ask: "replace"; rows: Row[] };

/** `found`: the one that was named, or the current one; `ends`: when the named one will be deleted, if that is scheduled. */
export type Identified = {
  found: KeyIdentifier | null;
  current: KeyIdentifier | null;
  /** When the version after the named one was made. */
  replaced: number | null;
  ends: number | null;
  listed: ListedIdentifier[];
  rows: Row[];
};

const NOTHING: Identified = { found: null, current: null, replaced: null, ends: null, listed: [], rows: [] };

/** Inside a transaction. */
export function askIdentifiers(sql: SqlStorage, asked: IdentifierAsk): Identified {
  switch (asked.ask) {
    case "look": {
      const { client, purpose, key } = asked;
      const found = findIdentifier(sql, { client, purpose, key });
      const current = findIdentifier(sql, { client, purpose });
      const ends = key === undefined ? null : endOfIdentifier(sql, client, key);
      const replaced = found === null ? null : replacedAt(sql, { client, purpose, ...found });
      return { ...NOTHING, found, current, replaced, ends };
    }
    case "list":
      return { ...NOTHING, listed: listIdentifiers(sql, asked) };
    case "keep":
      keepIdentifier(sql, asked, asked.identifier, asked.now);
      return NOTHING;
    case "set-end":
      setEnd(sql, asked.client, asked.key, asked.ends);
      return NOTHING;
    case "forget":
      forgetIdentifier(sql, asked.client, asked.key);
      return NOTHING;
    case "all":
      return { ...NOTHING, rows: sql.exec<Row>("SELECT * FROM key_identifiers").toArray() };
    case "replace":
      sql.exec("DELETE FROM key_identifiers");
      for (const row of asked.rows)
        sql.exec(
          `INSERT INTO key_identifiers (id, version, client, purpose, account_key, account_key_version, created, ends)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[row.id, row.version, row.client, row.purpose, row.account_key, row.account_key_version],
          ...[row.created, row.ends],
        );
      return NOTHING;
  }
}

/** The current one of this app, or the one with this name (`<id>.<version>`) if it is this app's; null where there is none. */
function findIdentifier(
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
function listIdentifiers(
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

function replacedAt(
  sql: SqlStorage,
  { client, purpose, keyVersion }: { client: string; purpose: string; keyVersion: number },
): number | null {
  const { next } = sql
    .exec<{ next: number | null }>(
      "SELECT min(created) AS next FROM key_identifiers WHERE client = ? AND purpose = ? AND version > ?",
      ...[client, purpose, keyVersion],
    )
    .one();
  return next;
}

/** When it will be deleted, in seconds since 1970; null to keep it. */
function setEnd(sql: SqlStorage, client: string, key: string, ends: number | null): void {
  const [id = "", version = ""] = key.split(".");
  sql.exec(
    "UPDATE key_identifiers SET ends = ? WHERE id = ? AND version = ? AND client = ?",
    ...[ends, id, Number(version), client],
  );
}

/** When that is scheduled to be deleted. */
function endOfIdentifier(sql: SqlStorage, client: string, key: string): number | null {
  const [id = "", version = ""] = key.split(".");
  const [row] = sql
    .exec<{ ends: number | null }>(
      "SELECT ends FROM key_identifiers WHERE id = ? AND version = ? AND client = ?",
      ...[id, Number(version), client],
    )
    .toArray();
  return row?.ends ?? null;
}

/** A second time changes nothing. */
function keepIdentifier(
  sql: SqlStorage,
  { client, purpose }: { client: string; purpose: string },
  { keyId, keyVersion, accountKey }: KeyIdentifier,
  now: number,
): void {
  sql.exec(
    `INSERT INTO key_identifiers (id, version, client, purpose, account_key, account_key_version, created)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ...[keyId, keyVersion, client, purpose, accountKey.id, accountKey.version, now],
  );
}

function forgetIdentifier(sql: SqlStorage, client: string, key: string): void {
  const [id = "", version = ""] = key.split(".");
  sql.exec(
    "DELETE FROM key_identifiers WHERE id = ? AND version = ? AND client = ?",
    ...[id, Number(version), client],
  );
}
