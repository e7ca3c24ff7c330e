/** Reads the Durable Objects' databases where the edge left them on the disk. */

import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";

export type Row = Record<string, SQLOutputValue>;

/** Paths of all SQLite databases below the edge's folder. */
export function edgeDatabases(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".sqlite"))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** All rows of all tables of this name, in whichever object they are. On copies: the edge may be running. */
export function readRows(directory: string, table: string): Row[] {
  return edgeDatabases(directory).flatMap((path) => {
    const copy = mkdtempSync(join(tmpdir(), "coffer-rows-"));
    try {
      for (const suffix of ["", "-wal"]) {
        if (existsSync(path + suffix)) copyFileSync(path + suffix, join(copy, `db${suffix}`));
      }
      const database = new DatabaseSync(join(copy, "db"));
      try {
        const has = database
          .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")
          .get(table);
        return has ? database.prepare(`SELECT * FROM ${table}`).all() : [];
      } finally {
        database.close();
      }
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
}

/** Changes rows while the edge stands still, or waits for something; answers how many. Throws when no object has the table. */
export function changeRows(directory: string, table: string, statement: string): number {
  let changes = 0;
  let found = false;
  for (const path of edgeDatabases(directory)) {
    const database = new DatabaseSync(path, { timeout: 5000 });
    try {
      if (!database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table))
        continue;
      found = true;
      changes += Number(database.prepare(statement).run().changes);
    } finally {
      database.close();
    }
  }
  if (!found) throw new Error(`no object has a table ${table}`);
  return changes;
}
