/** A Durable Object's SQL over an SQLite database in memory, for tests of what is written against `SqlStorage`. */

import { DatabaseSync } from "node:sqlite";

/** `SqlStorage` is a type of workerd, which this program does not load. */
type SqlDouble = { exec(query: string, ...values: unknown[]): never };

/** An empty database with these migrations applied. */
export function sqlStorage(migrations: readonly string[]): SqlDouble {
  const database = new DatabaseSync(":memory:");
  for (const migration of migrations) database.exec(migration);
  return {
    exec(query: string, ...values: unknown[]) {
      // Only definitions come several at a time.
      const several = /^\s*(--[^\n]*\n\s*)*CREATE/.test(query);
      if (several) database.exec(query);
      const rows = several
        ? []
        : database
            .prepare(query)
            .all(...(values.map(toSql) as string[]))
            .map(fromSql);
      return Object.assign(rows, {
        next: () => ({ done: rows.length === 0, value: rows[0] }),
        toArray: () => rows,
        one() {
          if (rows.length !== 1) throw new Error(`expected one row, got ${rows.length}`);
          return rows[0];
        },
      });
    },
  } as unknown as SqlDouble;
}

function toSql(value: unknown): unknown {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}

/** Blobs come as `ArrayBuffer` in workerd. */
function fromSql(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? value.slice().buffer : value,
    ]),
  );
}
