/**
 * Data keys of an account at levels `account` and `master`: one an app, in versions (W10). Enc(data) is kept in the HSM; here is what
 * its EDK says beside that, and the signature, so that both together are the EDK again. No key byte, wrapped or not.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { encryptedDataKeyName, SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import { type AccountEdk, joinJws, signingInput } from "#protocol/keys/index.ts";

/** A part of the migrations of an account's object. Rows stay, so that no version comes twice. */
export const ACCOUNT_DATA_KEYS_TABLE = `
  CREATE TABLE account_data_keys (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- The app (OAuth client) that it is for (M13).
    client TEXT NOT NULL,
    -- 'gone': the HSM has still to forget it.
    state TEXT NOT NULL CHECK (state IN ('making', 'kept', 'gone', 'deleted')),
    -- Identifier of Enc(data) at the HSM.
    hsm TEXT NOT NULL,
    -- JSON of the EDK without the wrapped key; the key that signed it, and the signature.
    edk TEXT, kid TEXT, signature TEXT,
    PRIMARY KEY (id, version)
  ) STRICT, WITHOUT ROWID;
`;

/** Another part: SHA-256 of what an instance has made, which is taken once. */
export const MADE_COLUMN = `
  ALTER TABLE account_data_keys ADD COLUMN made TEXT;
  CREATE UNIQUE INDEX account_data_keys_made ON account_data_keys (made);
`;

/** A version of a data key. */
export type Version = { id: string; version: number };
export type Row = Version & {
  client: string;
  hsm: string;
  edk: string | null;
  kid: string | null;
  signature: string | null;
};

/** `<id>.<version>`, as the contract has it. */
export function versionNamed(key: string): Version {
  const at = key.lastIndexOf(".");
  return { id: key.slice(0, at), version: Number(key.slice(at + 1)) };
}

export function nameOf({ id, version }: Version): string {
  return `${id}.${version}`;
}

export function hsmNameOf({ id, version }: Version): string {
  return encryptedDataKeyName(id, version);
}

/** Begins the next version for this app, or goes on with one that was cut off. */
export function beginVersion(sql: SqlStorage, client: string): Row {
  const [begun] = sql
    .exec<Row>("SELECT * FROM account_data_keys WHERE client = ? AND state = 'making'", client)
    .toArray();
  if (begun) return begun;
  const [last] = sql
    .exec<Version>(
      "SELECT id, version FROM account_data_keys WHERE client = ? ORDER BY version DESC LIMIT 1",
      client,
    )
    .toArray();
  const { id, version } = last ?? { id: crypto.randomUUID(), version: 0 };
  const row = { id, version: version + 1, client, hsm: crypto.randomUUID() };
  sql.exec(
    "INSERT INTO account_data_keys (id, version, client, state, hsm) VALUES (?, ?, ?, 'making', ?)",
    ...[row.id, row.version, row.client, row.hsm],
  );
  return { ...row, edk: null, kid: null, signature: null };
}

/** The version that `beginVersion` would give. */
export function nextVersion(sql: SqlStorage, client: string): number {
  const { next } = sql
    .exec<{ next: number }>(
      `SELECT coalesce(min(version) FILTER (WHERE state = 'making'), max(version) + 1, 1) AS next
       FROM account_data_keys WHERE client = ?`,
      client,
    )
    .one();
  return next;
}

/** The HSM keeps it now. False where it was ended meanwhile. */
export function keepVersion(
  sql: SqlStorage,
  { id, version }: Version,
  { edk, token, made }: { edk: AccountEdk; token: string; made: string | null },
): boolean {
  const { header, signature } = jwsParts(token);
  const { kid } = JSON.parse(new TextDecoder().decode(header)) as { kid: string };
  const kept = sql.exec(
    `UPDATE account_data_keys SET state = 'kept', edk = ?, kid = ?, signature = ?, made = ?
     WHERE id = ? AND version = ? AND state = 'making' RETURNING id`,
    ...[JSON.stringify({ ...edk, wrappedKey: "" }), kid, encodeBase64url(signature), made, id, version],
  );
  return kept.toArray().length === 1;
}

/** Whether this key, by its digest, was taken before. */
export function isKept(sql: SqlStorage, made: string): boolean {
  return sql.exec("SELECT 1 FROM account_data_keys WHERE made = ?", made).toArray().length > 0;
}

/** The EDK, from what is here and what the HSM keeps; null for a row that is not whole. */
export function edkOf({ edk, kid, signature }: Row, wrapped: Uint8Array): string | null {
  if (edk === null || kid === null || signature === null) return null;
  const payload = { ...(JSON.parse(edk) as AccountEdk), wrappedKey: encodeBase64url(wrapped) };
  return joinJws(signingInput({ typ: SIGN_TYPE.edk, kid }, payload), decodeBase64url(signature));
}

/** Under which account key it stands. */
export function accountKeyOf({ edk }: Row): AccountEdk["accountKey"] | null {
  return edk === null ? null : (JSON.parse(edk) as AccountEdk).accountKey;
}

export function findVersion(sql: SqlStorage, client: string, { id, version }: Version): Row | null {
  const [row] = sql
    .exec<Row>(
      "SELECT * FROM account_data_keys WHERE id = ? AND version = ? AND client = ? AND state = 'kept' AND ends IS NULL",
      ...[id, version, client],
    )
    .toArray();
  return row ?? null;
}

/** The app's, the newest first, at most `max`. */
export function versionsOf(sql: SqlStorage, client: string, max: number): Row[] {
  return sql
    .exec<Row>(
      "SELECT * FROM account_data_keys WHERE client = ? AND state = 'kept' AND ends IS NULL ORDER BY version DESC LIMIT ?",
      ...[client, max],
    )
    .toArray();
}

/** From now on it is found no more; the HSM forgets it afterwards. */
export function endVersion(sql: SqlStorage, { id, version }: Version): void {
  sql.exec(
    "UPDATE account_data_keys SET state = 'gone', edk = NULL, kid = NULL, signature = NULL WHERE id = ? AND version = ?",
    ...[id, version],
  );
}

export function endAllVersions(sql: SqlStorage): void {
  sql.exec(
    `UPDATE account_data_keys SET state = 'gone', edk = NULL, kid = NULL, signature = NULL WHERE state IN ('making', 'kept')`,
  );
}

/** Those that the HSM has still to forget; at most `max`. */
export function endedVersions(sql: SqlStorage, max: number): Version[] {
  return sql
    .exec<Version>("SELECT id, version FROM account_data_keys WHERE state = 'gone' LIMIT ?", max)
    .toArray();
}

export function forgotten(sql: SqlStorage, { id, version }: Version): void {
  sql.exec("UPDATE account_data_keys SET state = 'deleted' WHERE id = ? AND version = ?", id, version);
}
