/** A shredded account at the KMS: nothing of its data keys is known any more, and none is made again. */

import { type Decision, ok, refuse } from "../result.ts";
import { endAllVersions } from "./account-data-keys.ts";
import { endAllDocumentVersions } from "./document-versions.ts";
import { endAllResident } from "./resident-keys.ts";
import { endAllRetained } from "./retained-keys.ts";
import { endAllShares } from "./shares.ts";

/** A part of the migrations of an account's object. `time`: seconds since 1970. */
export const SHREDDED_TABLE = `
  -- Once the account is shredded: what was under way then must not be entered afterwards.
  CREATE TABLE shredded (only INTEGER PRIMARY KEY CHECK (only = 1), time INTEGER NOT NULL) STRICT;
`;

/** Inside `authorize()`; a second time changes nothing. */
export function shred(sql: SqlStorage, now: number): void {
  sql.exec("INSERT OR IGNORE INTO shredded VALUES (1, ?)", now);
  sql.exec("DELETE FROM data_keys");
  sql.exec("DELETE FROM key_management");
  sql.exec("DELETE FROM key_identifiers");
  sql.exec("DELETE FROM metadata_keys");
  endAllVersions(sql);
  endAllDocumentVersions(sql);
  endAllRetained(sql);
  endAllResident(sql);
  endAllShares(sql);
}

export function isShredded(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM shredded").toArray().length === 1;
}

/** The IAM refuses first. This is for what it had allowed before. */
export function checkLives(sql: SqlStorage): Decision<null> {
  return isShredded(sql) ? refuse("forbidden", "the account is shredded") : ok(null);
}
