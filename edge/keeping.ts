/** What an object keeps for the IAM (W15), by name: Enc(account). It knows nothing of what is in it. */

import { deleteOverwritten } from "./overwrite.ts";

/** A part of the migrations of an object. */
export const KEPT_TABLE = `
  CREATE TABLE kept (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Bytes of a value, and characters of a name. */
const MAX_VALUE = 8192;
const MAX_NAME = 200;

export function keep(sql: SqlStorage, name: string, value: Uint8Array<ArrayBuffer>): void {
  if (name.length > MAX_NAME || value.length > MAX_VALUE) throw new RangeError("too long to be kept");
  sql.exec("INSERT OR REPLACE INTO kept VALUES (?, ?)", name, value.slice().buffer);
}

export function readKept(sql: SqlStorage, name: string): Uint8Array<ArrayBuffer> | null {
  const [row] = sql.exec<{ value: ArrayBuffer }>("SELECT value FROM kept WHERE name = ?", name).toArray();
  return row === undefined ? null : new Uint8Array(row.value);
}

/** That of the name, or all. */
export function forgetKept(sql: SqlStorage, name?: string): void {
  const place = { table: "kept", column: "value" } as const;
  deleteOverwritten(sql, place, name === undefined ? undefined : { column: "name", is: name });
}
