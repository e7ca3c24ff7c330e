/** Scans bytes, files and directories; SQLite databases cell by cell as well, since long values are split over pages. */

import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Needle } from "./needle.ts";
import { createSearch, type Finding, type Search } from "./search.ts";

/** Searches bytes in memory, such as captured traffic. */
export function scanBytes(bytes: Uint8Array, needles: Needle[], where = "bytes"): Finding[] {
  return createSearch(needles).find(bytes, (offset) => `${where} @${offset}`);
}

/**
 * Searches every file below `directory`: contents, path names, and the cells of SQLite databases with their
 * write-ahead logs. `scanned` is the number of bytes read.
 */
export function scanDirectory(
  directory: string,
  needles: Needle[],
): { findings: Finding[]; scanned: number; files: string[] } {
  const search = createSearch(needles);
  const findings: Finding[] = [];
  const files: string[] = [];
  let scanned = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    findings.push(...search.find(Buffer.from(path), () => `name of ${path}`));
    if (!entry.isFile()) continue;
    const bytes = readIfThere(path);
    if (!bytes) continue;
    files.push(path);
    scanned += bytes.length;
    findings.push(...search.find(bytes, (offset) => `${path} @${offset}`));
    if (isSqlite(bytes)) findings.push(...scanCells(path, search));
  }
  return { findings, scanned, files };
}

/** Searches every cell of every table of one SQLite database, committed pages of its write-ahead log included. */
export function scanSqlite(path: string, needles: Needle[]): Finding[] {
  return scanCells(path, createSearch(needles));
}

function scanCells(path: string, search: Search): Finding[] {
  const findings: Finding[] = [];
  // On a copy: opening the live file would take locks and might write a checkpoint.
  const copy = mkdtempSync(join(tmpdir(), "coffer-scan-"));
  try {
    for (const suffix of ["", "-wal"]) {
      if (existsSync(path + suffix)) copyFileSync(path + suffix, join(copy, `db${suffix}`));
    }
    const database = new DatabaseSync(join(copy, "db"));
    try {
      for (const table of tables(database)) {
        const rows = database.prepare(`SELECT * FROM "${table.replaceAll('"', '""')}"`);
        rows.setReadBigInts(true);
        for (const row of rows.iterate()) {
          for (const [column, value] of Object.entries(row)) {
            const bytes =
              typeof value === "string"
                ? Buffer.from(value)
                : value instanceof Uint8Array
                  ? value
                  : undefined;
            if (bytes) findings.push(...search.find(bytes, () => `${path} ${table}.${column}`));
          }
        }
      }
    } finally {
      database.close();
    }
  } catch {
    // Not readable as a database at this instant (copied in the midst of a write): its raw bytes were searched.
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  return findings;
}

function tables(database: DatabaseSync): string[] {
  const names: string[] = [];
  for (const row of database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").iterate()) {
    names.push(String(row.name));
  }
  return names;
}

function isSqlite(bytes: Uint8Array): boolean {
  return (
    Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.length)).toString("latin1") ===
    "SQLite format 3\0"
  );
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined; // removed since it was listed
  }
}
