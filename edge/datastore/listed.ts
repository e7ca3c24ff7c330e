/**
 * Copies of sealed metadata for the list, in the rows of documents: what a page of the list needs stands in one answer. Each is under a key
 * that many have, whose EDK is kept once.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import type { DocumentPage, PutListed } from "#protocol/contract/index.ts";

/** A part of the migrations of an account's object. */
export const LISTED_COLUMNS = `
  -- A message of the metadata without its encrypted data key, and which of listed_keys that is.
  ALTER TABLE documents ADD COLUMN listed BLOB;
  ALTER TABLE documents ADD COLUMN listed_key INTEGER;
  CREATE INDEX documents_by_listed_key ON documents (listed_key);
  CREATE TABLE listed_keys (number INTEGER PRIMARY KEY, client TEXT NOT NULL, edk TEXT NOT NULL, UNIQUE (client, edk)) STRICT;
`;

/** Keys that the copies of one app are under at a time: one, and while they change to another one a few. */
const MAX_KEYS = 32;

type Copies = { client: string } & Pick<PutListed, "edk" | "documents">;

/** Keeps copies of documents that are complete or about to be, where they have none or one under another key. */
export function keepListed(sql: SqlStorage, { client, edk, documents }: Copies): void {
  const number = keyNumber(sql, client, edk);
  for (const { id, sealed } of documents)
    sql.exec(
      `UPDATE documents SET listed = ?1, listed_key = ?2 WHERE id = ?3 AND client = ?4
        AND state IN ('completing', 'complete') AND listed_key IS NOT ?2`,
      ...[decodeBase64url(sealed), number, id, client],
    );
}

function keyNumber(sql: SqlStorage, client: string, edk: string): number {
  const find = "SELECT number FROM listed_keys WHERE client = ? AND edk = ?";
  const [known] = sql.exec<{ number: number }>(find, client, edk).toArray();
  if (known) return known.number;
  sql.exec(
    `DELETE FROM listed_keys WHERE client = ? AND NOT EXISTS
      (SELECT 1 FROM documents WHERE listed_key = listed_keys.number)`,
    client,
  );
  const { count } = sql
    .exec<{ count: number }>("SELECT count(*) AS count FROM listed_keys WHERE client = ?", client)
    .one();
  // Whoever writes can put copies under keys of any name: those of the fewest go, and are put again as they are found missing.
  if (count >= MAX_KEYS) dropFewest(sql, client);
  const made = "INSERT INTO listed_keys (client, edk) VALUES (?, ?) RETURNING number";
  return sql.exec<{ number: number }>(made, client, edk).one().number;
}

function dropFewest(sql: SqlStorage, client: string): void {
  const { number } = sql
    .exec<{ number: number }>(
      `SELECT number FROM listed_keys WHERE client = ?
        ORDER BY (SELECT count(*) FROM documents WHERE listed_key = number), number LIMIT 1`,
      client,
    )
    .one();
  sql.exec("UPDATE documents SET listed = NULL, listed_key = NULL WHERE listed_key = ?", number);
  sql.exec("DELETE FROM listed_keys WHERE number = ?", number);
}

/** A row of the list as it is stored. */
export type Stored = {
  id: string;
  account: string;
  size: number;
  /** Milliseconds since 1970. */
  created: number;
  listed: ArrayBuffer | null;
  listed_key: number | null;
};

/** Rows of a page as they are told: each EDK once. */
export function tell(sql: SqlStorage, rows: readonly Stored[]): Pick<DocumentPage, "documents" | "keys"> {
  const keys: string[] = [];
  const places = new Map<number, number>();
  const placeOf = (number: number) => {
    const known = places.get(number);
    if (known !== undefined) return known;
    const find = "SELECT edk FROM listed_keys WHERE number = ?";
    keys.push(sql.exec<{ edk: string }>(find, number).one().edk);
    places.set(number, keys.length - 1);
    return keys.length - 1;
  };
  const documents = rows.map(({ id, account, size, created, listed, listed_key }) => {
    // Reported in seconds as everywhere.
    const row = { id, account, size, created: seconds(created) };
    if (listed === null || listed_key === null) return row;
    const sealed = encodeBase64url(new Uint8Array(listed));
    return { ...row, listed: { key: placeOf(listed_key), sealed } };
  });
  return { documents, ...(keys.length > 0 && { keys }) };
}
