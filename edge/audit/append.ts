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

/** Tables of the chain, one object a tenant. */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS links (
    sequence INTEGER PRIMARY KEY, previous TEXT NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS sources (
    source TEXT NOT NULL, epoch TEXT NOT NULL, outbox INTEGER NOT NULL, PRIMARY KEY (source, epoch)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS heads (sequence INTEGER PRIMARY KEY, jws TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS tenant (only INTEGER PRIMARY KEY CHECK (only = 1), name TEXT NOT NULL) STRICT;
`;

/** The last link; sequence 0 before the first. */
export function headOf(sql: SqlStorage): Head {
  const [last] = sql.exec<Head>("SELECT sequence, hash FROM links ORDER BY sequence DESC LIMIT 1").toArray();
  return last ?? { sequence: 0, hash: GENESIS };
}

/**
 * Appends what is new of a batch and answers how many rows that was; a batch that comes twice is taken once. Calls must
 * come one after the other, since each link needs the hash of the one before.
 */
export async function append(
  sql: SqlStorage,
  transaction: (closure: () => void) => void,
  batch: Batch,
): Promise<number> {
  const { tenant, source, epoch, rows } = batch;
  const [known] = sql
    .exec<{ outbox: number }>("SELECT outbox FROM sources WHERE source = ? AND epoch = ?", source, epoch)
    .toArray();
  let seen = known?.outbox ?? 0;
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
        "INSERT INTO links VALUES (?, ?, ?, ?)",
        ...[link.sequence, link.previous, link.entry, link.hash],
      );
    }
    sql.exec("INSERT OR IGNORE INTO tenant VALUES (1, ?)", tenant);
    sql.exec("INSERT OR REPLACE INTO sources VALUES (?, ?, ?)", source, epoch, seen);
  });
  return links.length;
}
