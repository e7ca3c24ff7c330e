/** What a tenant's object keeps for its revocation lists: the certificates that are revoked, and of each list how much it was told and the last one that was signed. */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import type { Reason, RevokedCertificate } from "#protocol/pki/index.ts";
import { FIRST_LIST, type Revocation } from "./revocations.ts";
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
  // One list becomes many. Certificates of before go on naming the first one, until the last of them has ended.
  `
  -- told: how often something new was revoked; the rest is of the last list that was signed, where one was; seen: how often of it before that was begun.
  CREATE TABLE lists (
    list INTEGER PRIMARY KEY, told INTEGER NOT NULL, number INTEGER NOT NULL DEFAULT 0, this_update INTEGER, next_update INTEGER, seen INTEGER, der BLOB
  ) STRICT;
  INSERT INTO lists SELECT ${FIRST_LIST}, count, number, this_update, next_update, seen, der FROM published, changes;
  -- When it became many, in a tenant that had published the one.
  CREATE TABLE split (at INTEGER NOT NULL) STRICT;
  INSERT INTO split SELECT unixepoch() FROM published;
  ALTER TABLE revoked ADD COLUMN list INTEGER NOT NULL DEFAULT ${FIRST_LIST};
  DROP INDEX revoked_by_time;
  CREATE INDEX revoked_by_list ON revoked (list, at);
  CREATE INDEX revoked_by_end ON revoked (expires);
  DROP TABLE published;
  DROP TABLE changes;
  `,
  // The longest life (seconds) that certificates have had since.
  "ALTER TABLE split ADD COLUMN life INTEGER NOT NULL DEFAULT 0",
];

/** A list, and how much of what it was told it has seen. */
export type KeptList = Published & { seen: number };

/** A message to the HSM holds no more. */
export const LONGEST_LIST = 20_000;
/** What has expired leaves after so long, also where nobody has read its list meanwhile. Seconds. */
const KEPT = 30 * 24 * 3600;

/** Takes note, in the caller's transaction, of certificates that are revoked. Told again, the earlier time and its reason count. */
export function noteRevoked(sql: SqlStorage, revocations: readonly Revocation[], now: number): void {
  const changed = new Set<number>();
  for (const { list, serials, at, reason, expires } of revocations)
    for (const serial of serials) {
      const written = sql.exec(
        `INSERT INTO revoked (list, serial, at, reason, expires) VALUES (?, ?, ?, ?, ?) ON CONFLICT (serial) DO UPDATE
         SET at = excluded.at, reason = excluded.reason WHERE excluded.at < at RETURNING serial`,
        ...[list, serial, at, reason, expires],
      );
      if (written.toArray().length > 0) changed.add(list);
    }
  for (const list of changed)
    sql.exec(
      "INSERT INTO lists (list, told) VALUES (?, 1) ON CONFLICT (list) DO UPDATE SET told = told + 1",
      list,
    );
  sql.exec("DELETE FROM revoked WHERE expires < ?", now - KEPT);
}

/** How often something new was revoked that a list is about. */
export function changes(sql: SqlStorage, list: number): number {
  const [row] = sql.exec<{ told: number }>("SELECT told FROM lists WHERE list = ?", list).toArray();
  return row?.told ?? 0;
}

/** Certificates live so long (seconds). Those that were made before it was configured lower live as long as they did. */
export function keepLife(sql: SqlStorage, life: number): void {
  sql.exec("UPDATE split SET life = ?1 WHERE life < ?1", life);
}

/**
 * Whether a certificate that has not expired may name the one list that became many: for the life of one that was made then, in a tenant that
 * had published it; in every tenant while one that is revoked names it.
 */
export function isFirstNamed(sql: SqlStorage, now: number): boolean {
  const young = sql.exec("SELECT 1 FROM split WHERE at + life > ?", now);
  const revoked = "SELECT 1 FROM revoked WHERE list = ? AND expires > ? LIMIT 1";
  return young.toArray().length > 0 || sql.exec(revoked, FIRST_LIST, now).toArray().length > 0;
}

/**
 * What the next list says, as of `now`; null where it would be too long. That it is begun is not noted: a list that is never signed leaves the
 * last one as lacking as it is. What the last one has named after its end goes.
 */
export function nextList(
  sql: SqlStorage,
  list: number,
  now: number,
): { number: number; seen: number; revoked: RevokedCertificate[] } | null {
  const last = lastList(sql, list);
  // One that has expired leaves once a list of after its end has named it (RFC 5280 §3.3).
  if (last)
    sql.exec("DELETE FROM revoked WHERE list = ? AND expires < ?", list, last.thisUpdate - CLOCK_TOLERANCE);
  const rows = sql
    .exec<{ serial: string; at: number; reason: Reason }>(
      "SELECT serial, at, reason FROM revoked WHERE list = ? AND at <= ? ORDER BY at, serial LIMIT ?",
      ...[list, now, LONGEST_LIST + 1],
    )
    .toArray();
  if (rows.length > LONGEST_LIST) return null;
  return { number: (last?.number ?? 0) + 1, seen: changes(sql, list), revoked: rows };
}

/** Keeps a list that was signed, unless a newer one is kept. */
export function keepList(
  sql: SqlStorage,
  list: number,
  { der, number, thisUpdate, nextUpdate, seen }: KeptList,
): void {
  sql.exec(
    `INSERT INTO lists (list, told, number, this_update, next_update, seen, der) VALUES (?, 0, ?, ?, ?, ?, ?)
     ON CONFLICT (list) DO UPDATE SET number = excluded.number, this_update = excluded.this_update,
       next_update = excluded.next_update, seen = excluded.seen, der = excluded.der WHERE excluded.number > number`,
    ...[list, number, thisUpdate, nextUpdate, seen, der.buffer],
  );
}

export function lastList(sql: SqlStorage, list: number): KeptList | undefined {
  type Row = { number: number; this_update: number; next_update: number; seen: number; der: ArrayBuffer };
  const [row] = sql.exec<Row>("SELECT * FROM lists WHERE list = ? AND der IS NOT NULL", list).toArray();
  if (!row) return undefined;
  const { number, this_update: thisUpdate, next_update: nextUpdate, seen } = row;
  return { der: new Uint8Array(row.der), number, thisUpdate, nextUpdate, seen };
}

/** Whether a list that was signed says all of so many changes, and what has become due until `now`. */
export function saysAll(
  sql: SqlStorage,
  list: number,
  { seen, thisUpdate }: KeptList,
  told: number,
  now: number,
): boolean {
  if (seen < told) return false;
  const due = "SELECT 1 FROM revoked WHERE list = ? AND at > ? AND at <= ? LIMIT 1";
  return sql.exec(due, list, thisUpdate, now).toArray().length === 0;
}
