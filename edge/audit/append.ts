import { GENESIS, type Head, type Link, linkHash } from "#protocol/audit/index.ts";
import { canonicalEntry } from "./entry.ts";
import type { AuditRow } from "./row.ts";

/** Rows of one outbox, in order. */
export type Batch = {
  tenant: string;
  /** The domain, or `<domain>/<object>`. */
  source: string;
  /** Random name of this life of the outbox: an object that deleted all it had counts from 1 again. */
  epoch: string;
  rows: AuditRow[];
};

/** Tables of the chain of one source. `chained`: milliseconds since 1970. */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS links (
    sequence INTEGER PRIMARY KEY, previous TEXT NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL, chained INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS segments (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, hash TEXT NOT NULL, key TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS epochs (epoch TEXT PRIMARY KEY, outbox INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS source (
    only INTEGER PRIMARY KEY CHECK (only = 1), tenant TEXT NOT NULL, name TEXT NOT NULL, epoch TEXT NOT NULL,
    logged INTEGER NOT NULL DEFAULT 0
  ) STRICT;
`;

/** The last link; sequence 0 before the first. */
export function headOf(sql: SqlStorage): Head {
  const [last] = sql.exec<Head>("SELECT sequence, hash FROM links ORDER BY sequence DESC LIMIT 1").toArray();
  if (last !== undefined) return last;
  const [closed] = sql
    .exec<Head>("SELECT last AS sequence, hash FROM segments ORDER BY first DESC LIMIT 1")
    .toArray();
  return closed ?? { sequence: 0, hash: GENESIS };
}

/** The last row that was taken of this life of the outbox; null before the first. */
export function lastOf(sql: SqlStorage, epoch: string): number | null {
  const [known] = sql.exec<{ outbox: number }>("SELECT outbox FROM epochs WHERE epoch = ?", epoch).toArray();
  return known?.outbox ?? null;
}

/**
 * Appends the rows `after` this number of the outbox and answers how many that was; a batch that comes twice is taken once.
 * Calls must come one after the other, since each link needs the hash of the one before.
 */
export async function append(
  sql: SqlStorage,
  transaction: (closure: () => void) => void,
  { tenant, source, epoch, rows }: Batch,
  { after, now }: { after: number; now: number },
): Promise<number> {
  let seen = after;
  let { sequence, hash } = headOf(sql);
  const links: Link[] = [];
  for (const row of rows) {
    if (row.outbox <= seen) continue;
    seen = row.outbox;
    sequence += 1;
    const previous = hash;
    const entry = canonicalEntry(sequence, { source, epoch }, row);
    hash = await linkHash(previous, entry);
    links.push({ sequence, previous, entry, hash });
  }
  if (links.length === 0) return 0;
  transaction(() => {
    for (const link of links) {
      sql.exec(
        "INSERT INTO links VALUES (?, ?, ?, ?, ?)",
        ...[link.sequence, link.previous, link.entry, link.hash, now],
      );
    }
    sql.exec("INSERT OR REPLACE INTO epochs VALUES (?, ?)", epoch, seen);
    sql.exec(
      `INSERT INTO source (only, tenant, name, epoch) VALUES (1, ?, ?, ?)
       ON CONFLICT DO UPDATE SET epoch = excluded.epoch`,
      ...[tenant, source, epoch],
    );
  });
  return links.length;
}
