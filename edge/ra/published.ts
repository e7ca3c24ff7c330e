/** What a tenant's object keeps for its revocation list: the certificates that are revoked, how much it was told, and the last list that was signed. */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import type { Reason, RevokedCertificate } from "#protocol/pki/index.ts";
import type { Revocation } from "./revocations.ts";
import type { Published } from "./types.ts";

/** Serial numbers are unique to the authority. Times: seconds since 1970. */
export const PUBLISHED: readonly string[] = [
  `
  -- Revoked certificates, or such as will be at a time; expires: the end of their validity.
  CREATE TABLE revoked (
    serial TEXT PRIMARY KEY, at INTEGER NOT NULL, reason INTEGER NOT NULL, expires INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX revoked_by_time ON revoked (at);
  -- The last list; stale: 1 where more is revoked by now.
  CREATE TABLE published (
    only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL, this_update INTEGER NOT NULL, next_update INTEGER NOT NULL,
    stale INTEGER NOT NULL, der BLOB NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE changes (only INTEGER PRIMARY KEY CHECK (only = 1), count INTEGER NOT NULL) STRICT;
  -- How often something new was revoked, and how often of it before the last list was begun. That of an earlier release may lack what it was told last.
  INSERT INTO changes VALUES (1, 1);
  ALTER TABLE published ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE published DROP COLUMN stale;
  `,
];

/** A list, and the number of changes that it has seen. */
export type KeptList = Published & { seen: number };

/** Takes note, in the caller's transaction, of certificates that are revoked. Told again, the earlier time and its reason count. */
export function noteRevoked(sql: SqlStorage, revocations: readonly Revocation[]): void {
  let changed = false;
  for (const { serials, at, reason, expires } of revocations)
    for (const serial of serials) {
      const written = sql.exec(
        `INSERT INTO revoked VALUES (?, ?, ?, ?) ON CONFLICT (serial) DO UPDATE
         SET at = excluded.at, reason = excluded.reason WHERE excluded.at < at RETURNING serial`,
        ...[serial, at, reason, expires],
      );
      if (written.toArray().length > 0) changed = true;
    }
  if (changed) sql.exec("UPDATE changes SET count = count + 1");
}

/** How often something new was revoked. */
export function changes(sql: SqlStorage): number {
  return sql.exec<{ count: number }>("SELECT count FROM changes").one().count;
}

/**
 * What the next list says, as of `now`. That it is begun is not noted: a list that is never signed leaves the last one as lacking as it is. What
 * the last one has named after its end goes.
 */
export function nextList(
  sql: SqlStorage,
  now: number,
): { number: number; seen: number; revoked: RevokedCertificate[] } {
  const last = lastList(sql);
  // One that has expired leaves once a list of after its end has named it (RFC 5280 §3.3).
  if (last) sql.exec("DELETE FROM revoked WHERE expires < ?", last.thisUpdate - CLOCK_TOLERANCE);
  const rows = sql.exec<{ serial: string; at: number; reason: Reason }>(
    "SELECT serial, at, reason FROM revoked WHERE at <= ? ORDER BY at, serial",
    now,
  );
  return { number: (last?.number ?? 0) + 1, seen: changes(sql), revoked: rows.toArray() };
}

/** Keeps a list that was signed, unless a newer one is kept. */
export function keepList(sql: SqlStorage, { der, number, thisUpdate, nextUpdate, seen }: KeptList): void {
  sql.exec(
    `INSERT INTO published (only, number, this_update, next_update, seen, der) VALUES (1, ?, ?, ?, ?, ?)
     ON CONFLICT (only) DO UPDATE SET number = excluded.number, this_update = excluded.this_update,
       next_update = excluded.next_update, seen = excluded.seen, der = excluded.der WHERE excluded.number > number`,
    ...[number, thisUpdate, nextUpdate, seen, der.buffer],
  );
}

export function lastList(sql: SqlStorage): KeptList | undefined {
  type Row = { number: number; this_update: number; next_update: number; seen: number; der: ArrayBuffer };
  const [row] = sql.exec<Row>("SELECT * FROM published").toArray();
  if (!row) return undefined;
  const { number, this_update: thisUpdate, next_update: nextUpdate, seen } = row;
  return { der: new Uint8Array(row.der), number, thisUpdate, nextUpdate, seen };
}

/** Whether a list says all of so many changes, and what has become due until `now`. */
export function saysAll(sql: SqlStorage, list: KeptList, told: number, now: number): boolean {
  if (list.seen < told) return false;
  const due = "SELECT 1 FROM revoked WHERE at > ? AND at <= ? LIMIT 1";
  return sql.exec(due, list.thisUpdate, now).toArray().length === 0;
}
