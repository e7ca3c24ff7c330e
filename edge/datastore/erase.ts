/**
 * A shredded account at the datastore. From the moment on nobody gets or stores anything; what lies in R2 goes afterwards, in
 * pages, which begin again wherever they were cut off.
 */

import { forgetKept } from "../keeping.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import type { DocumentRow } from "./documents.ts";
import { accountPrefix, contentKey, metadataKey } from "./keys.ts";
import { LOST_MS, STUCK_MS } from "./sweep.ts";
import { endUpload } from "./writes.ts";

/** A part of the migrations of an account's object. Times: milliseconds since 1970. */
export const SHREDDED_TABLE = `
  -- Once the account is shredded. erased: when R2 had nothing of it any more, and nothing more could come.
  CREATE TABLE shredded (only INTEGER PRIMARY KEY CHECK (only = 1), time INTEGER NOT NULL, erased INTEGER) STRICT;
`;

/** Documents of one page: two keys each, and R2 deletes a thousand at a time. */
const PAGE = 200;
/** Pages of one alarm. */
const PAGES = 20;

/** Inside `authorize()`; a second time changes nothing. */
export function shred(sql: SqlStorage, now: number): void {
  sql.exec("INSERT OR IGNORE INTO shredded VALUES (1, ?, NULL)", now);
  // What the IAM had kept here too: without Enc(account) nothing opens (W11).
  forgetKept(sql);
  sql.exec("DELETE FROM key_identifiers");
  sql.exec("UPDATE documents SET listed = NULL, listed_key = NULL");
  sql.exec("DELETE FROM listed_keys");
}

type Shredded = { time: number; erased: number | null };

/** Null while the account lives. */
export function readShredded(sql: SqlStorage): Shredded | null {
  return sql.exec<Shredded>("SELECT time, erased FROM shredded").toArray()[0] ?? null;
}

/** The IAM refuses first. This is for what it had allowed before, and for parts of uploads. */
export function checkLives(sql: SqlStorage): Decision<null> {
  return readShredded(sql) === null ? ok(null) : refuse("forbidden", "the account is shredded");
}

/** Erases some of what there is. Answers when to come again; null when all is done. */
export async function erase(store: Store, bucket: R2Bucket, account: string): Promise<number | null> {
  const { sql, tenant } = store;
  const shredded = readShredded(sql);
  if (shredded === null || shredded.erased !== null) return null;
  const now = Date.now();
  try {
    for (let page = 0; page < PAGES; page++)
      if (!(await eraseRows(store, bucket)))
        return await eraseRest(store, bucket, { account, shredded, now });
    return now;
  } catch (error) {
    const name = error instanceof Error ? error.name : "unknown";
    console.warn(JSON.stringify({ event: "erasure-waits", tenant, error: name }));
    return now + STUCK_MS;
  }
}

/** A page of documents, with the parts of their uploads. False when none is left. */
async function eraseRows(store: Store, bucket: R2Bucket): Promise<boolean> {
  const { sql, tenant } = store;
  const rows = sql.exec<DocumentRow>("SELECT * FROM documents ORDER BY id LIMIT ?", PAGE).toArray();
  if (rows.length === 0) return false;
  // After this nothing can be joined any more. Before its object is deleted: it may just have been.
  for (const row of rows)
    if (row.upload !== null && row.state !== "complete")
      await endUpload(bucket, contentKey(tenant, row), row.upload);
  await bucket.delete(rows.flatMap((row) => [contentKey(tenant, row), metadataKey(tenant, row)]));
  store.transaction(() => {
    for (const { id } of rows) {
      sql.exec("DELETE FROM documents WHERE id = ?", id);
      sql.exec("DELETE FROM parts WHERE document = ?", id);
    }
  });
  return true;
}

/**
 * What R2 has beside: metadata whose write was under way. Whoever writes it takes it away again; if they were cut off, this does,
 * once nothing can come any more.
 */
async function eraseRest(
  { sql, tenant }: Store,
  bucket: R2Bucket,
  { account, shredded, now }: { account: string; shredded: Shredded; now: number },
): Promise<number | null> {
  for (let page = 0; page < PAGES; page++) {
    const { objects } = await bucket.list({ prefix: accountPrefix(tenant, account) });
    if (objects.length > 0) {
      await bucket.delete(objects.map(({ key }) => key));
      continue;
    }
    const settled = shredded.time + LOST_MS;
    if (now < settled) return settled;
    sql.exec("DELETE FROM usage");
    sql.exec("UPDATE shredded SET erased = ?", now);
    return null;
  }
  return now;
}
