/**
 * Fills one account, in the databases of a deployment that stands still: with copies of the rows that it has already. An
 * object is found by what is in it, so that it does not matter how a commit divides the state among objects.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { edgeDatabases } from "#test/system/index.ts";

type Row = Record<string, SQLOutputValue>;

export type Size = { dataKeys: number; documents: number; members: number };

/** Seconds between two documents or data keys: an account of some years. */
const APART = 600;

/** Throws where it finds no account to fill. */
export function fill(dir: string, account: string, { dataKeys, documents, members }: Size): void {
  const filled = { data_keys: 0, documents: 0, members: 0 };
  for (const path of edgeDatabases(join(dir, "edge", "do"))) {
    const database = new DatabaseSync(path);
    try {
      database.exec("BEGIN");
      const of = (table: string) => firstRow(database, table, account);
      filled.data_keys += copy(database, "data_keys", of("data_keys"), dataKeys, again);
      filled.documents += copy(database, "documents", of("documents"), documents, again);
      filled.members += copy(database, "members", of("members"), members, (row) => {
        const user = randomUUID();
        addUser(database, String(row.user), user);
        return { user };
      });
      database.exec("COMMIT");
    } finally {
      database.close();
    }
  }
  for (const [table, rows] of Object.entries(filled))
    if (rows === 0) throw new Error(`no object has ${table} of the account`);
}

/** An earlier one of the same. Times are seconds in some tables and milliseconds in others. */
function again({ created }: Row, at: number): Row {
  const unit = Number(created) > 1e11 ? 1000 : 1;
  return { id: randomUUID(), created: Number(created) - at * APART * unit };
}

/** The account's first row, in an object of several accounts or in its own. */
function firstRow(database: DatabaseSync, table: string, account: string): Row | undefined {
  if (!has(database, table)) return undefined;
  const columns = database.prepare(`SELECT name FROM pragma_table_info(?)`).all(table);
  if (columns.some(({ name }) => name === "account"))
    return database.prepare(`SELECT * FROM ${table} WHERE account = ? LIMIT 1`).get(account);
  const own = database.prepare("SELECT 1 FROM store_identity WHERE source LIKE '%/' || ?").get(account);
  return own && database.prepare(`SELECT * FROM ${table} LIMIT 1`).get();
}

function copy(
  database: DatabaseSync,
  table: string,
  row: Row | undefined,
  count: number,
  change: (row: Row, at: number) => Row,
): number {
  if (row === undefined) return 0;
  const names = Object.keys(row);
  const values = names.map(() => "?").join(", ");
  const insert = database.prepare(`INSERT INTO ${table} (${names.join(", ")}) VALUES (${values})`);
  for (let at = 1; at <= count; at++) {
    const next = { ...row, ...change(row, at) };
    insert.run(...names.map((name) => next[name]!));
  }
  return count;
}

/** Where users have rows of their own, a member is one of them. */
function addUser(database: DatabaseSync, like: string, id: string): void {
  if (!has(database, "users")) return;
  const row = database.prepare("SELECT * FROM users WHERE id = ?").get(like);
  copy(database, "users", row, 1, () => ({ id, name: id }));
}

function has(database: DatabaseSync, table: string): boolean {
  const found = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table);
  return found !== undefined;
}
