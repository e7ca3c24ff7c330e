/** Reads the Durable Objects' databases where the edge left them on the disk. */

import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from "node:fs";
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

/**
 * All rows of all tables of this name, in whichever object they are. On copies, made by no lock: the edge may be running. Tests ask again and again, and of
 * hundreds of objects few have changed meanwhile: of the others what was read last is said again.
 */
export function readRows(directory: string, table: string): Row[] {
  return edgeDatabases(directory).flatMap((path) => {
    const stamp = stampOf(path);
    const known = read.get(path);
    const tables = known && known.stamp === stamp ? known.tables : new Map<string, Row[]>();
    const rows = tables.get(table) ?? readTable(path, table);
    tables.set(table, rows);
    // What was written a moment ago may be written once more in the same moment.
    if (stamp !== null && stamp === stampOf(path)) read.set(path, { stamp, tables });
    else read.delete(path);
    return rows.map((row) => ({ ...row }));
  });
}

/** Tables by the path of their database, as they were read last. */
const read = new Map<string, { stamp: string; tables: Map<string, Row[]> }>();

/** Tells a database and its log from what they were before any write; null where that was just now. */
function stampOf(path: string): string | null {
  const files = [path, `${path}-wal`, `${path}-journal`].map((one) => ifThere(() => statSync(one)));
  const now = Date.now();
  if (files.some((file) => file !== undefined && !(file.mtimeMs < now - SAME_TIME))) return null;
  return files.map((file) => (file ? `${file.ino} ${file.size} ${file.mtimeMs}` : "none")).join();
}

function readTable(path: string, table: string): Row[] {
  const copy = mkdtempSync(join(tmpdir(), "coffer-rows-"));
  try {
    copyDatabase(path, join(copy, "db"));
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
}

/** Milliseconds within which a file system may give two changes the same time. */
const SAME_TIME = 20;

/**
 * A database and its write-ahead log, of one moment. The edge closes an object that nobody has asked for ten seconds, and SQLite moves
 * the log into the database then and removes it: a database of before that without the log has lost rows. One log from before the
 * first byte to after the last, told by the salts in its header, has all that the copied database lacks (SQLite file format §4.1).
 * Without a log the database must not have been written to meanwhile.
 */
function copyDatabase(path: string, to: string): void {
  const [log, logTo] = [`${path}-wal`, `${to}-wal`];
  for (let tries = 0; tries < 1000; tries++) {
    const [before, written] = [headerOf(log), statSync(path).mtimeMs];
    const began = Date.now();
    rmSync(logTo, { force: true });
    copyFileSync(path, to);
    if (before !== "") ifThere(() => copyFileSync(log, logTo));
    const sameLog = headerOf(log) === before && headerOf(logTo) === before;
    const quiet = statSync(path).mtimeMs === written && written < began - SAME_TIME;
    if (sameLog && (before !== "" || quiet) && !existsSync(`${path}-journal`)) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
  throw new Error(`${path} never stands still`);
}

/** Of a write-ahead log; empty without one, or where it is empty. */
function headerOf(log: string): string {
  const file = ifThere(() => openSync(log, "r"));
  if (file === undefined) return "";
  try {
    const header = Buffer.alloc(32);
    return header.toString("hex", 0, readSync(file, header));
  } finally {
    closeSync(file);
  }
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
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
