/** What the store of Enc(account) (W15) keeps: until the account is shredded, and then nothing again. */

import { forgetKept, KEPT_TABLE, keep } from "../keeping.ts";
import { type Decision, ok, refuse } from "../result.ts";

/** Tables of the store. Migrations are only ever appended to. */
export const KEPT_UNTIL_SHRED: readonly string[] = [
  KEPT_TABLE,
  `
  -- Once the account is shredded. Seconds since 1970.
  CREATE TABLE shredded (only INTEGER PRIMARY KEY CHECK (only = 1), time INTEGER NOT NULL) STRICT;
  `,
];

/** Inside `authorize()`. What was under way at the HSM when the account was shredded comes afterwards, and is not kept. */
export function keepUntilShred(
  sql: SqlStorage,
  name: string,
  value: Uint8Array<ArrayBuffer>,
): Decision<null> {
  if (sql.exec("SELECT 1 FROM shredded").toArray().length > 0)
    return refuse("forbidden", "the account is shredded");
  keep(sql, name, value);
  return ok(null);
}

/** Inside `authorize()`; a second time changes nothing. */
export function shredKept(sql: SqlStorage, now: number): void {
  sql.exec("INSERT OR IGNORE INTO shredded VALUES (1, ?)", now);
  forgetKept(sql);
}
