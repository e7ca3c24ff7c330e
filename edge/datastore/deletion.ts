/**
 * Documents whose deletion is scheduled: nobody reads or lists them among the others, they count in the quota, and until their day comes
 * they can be kept after all.
 */

import { seconds } from "#protocol/clock.ts";
import type { DeletedPage } from "#protocol/contract/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import { type DocumentRow, findDocument, markDeleted, nextPage, type Owner, readRow } from "./documents.ts";
import { type Stored, tell } from "./listed.ts";

/** A part of the migrations of an account's object. */
export const DELETION_COLUMN = `
  -- When a complete document will be deleted, milliseconds since 1970. Until then it is listed among the deleted ones alone.
  ALTER TABLE documents ADD COLUMN ends INTEGER;
  CREATE INDEX documents_by_end ON documents (ends) WHERE ends IS NOT NULL;
  CREATE INDEX documents_deleted ON documents (account, client, created DESC, id DESC) WHERE ends IS NOT NULL;
`;

/** Days, unless it is said. */
const DAYS = 30;
/** Documents whose day has come, of one alarm. */
const ENDED = 500;

/** Inside `authorize()`. Scheduled again, it ends when it was to end. Answers when, milliseconds since 1970. `day`: seconds. */
export function scheduleDeletion(
  sql: SqlStorage,
  id: string,
  caller: Pick<Caller, "client">,
  { days = DAYS, day, now }: { days?: number | undefined; day: number; now: number },
): Decision<number> {
  const row = readRow(sql, id);
  if (row?.state === "complete" && row.client === caller.client && row.ends != null) return ok(row.ends);
  const found = findDocument(sql, id, caller, ["complete"]);
  if (!found.ok) return found;
  const ends = now + days * day * 1000;
  sql.exec("UPDATE documents SET ends = ? WHERE id = ?", ends, id);
  return ok(ends);
}

/** Inside `authorize()`. One that is not to be deleted is kept already. */
export function keepDocument(
  sql: SqlStorage,
  id: string,
  { client }: Pick<Caller, "client">,
  now: number,
): Decision<null> {
  const row = readRow(sql, id);
  const there = row?.state === "complete" && row.client === client && (row.ends == null || row.ends > now);
  if (!there) return refuse("not-found", "no document that can be kept");
  sql.exec("UPDATE documents SET ends = NULL WHERE id = ?", id);
  return ok(null);
}

/** What a deletion for good may be of: an upload too, and a document whose deletion is scheduled. */
export function findDeletable(
  sql: SqlStorage,
  id: string,
  caller: Pick<Caller, "client">,
): Decision<DocumentRow> {
  const row = readRow(sql, id);
  if (row?.state === "complete" && row.client === caller.client) return ok(row);
  return findDocument(sql, id, caller, ["pending", "completing"]);
}

/** Documents of the account in this app that will be deleted, those that were sealed last first. */
export function listDeleted(
  sql: SqlStorage,
  owner: Owner,
  cursor: string | undefined,
  now: number,
): Decision<DeletedPage> {
  // Whose time has come is not kept any more, though no alarm has rung yet.
  const only = `AND ends > ${Math.trunc(now)}` as const;
  const page = nextPage<Stored & { ends: number }>(sql, owner, cursor, only);
  if (!page.ok) return page;
  const { rows, cursor: next } = page.value;
  const { documents, keys } = tell(sql, rows);
  const ends = new Map(rows.map((row) => [row.id, seconds(row.ends)]));
  return ok({
    documents: documents.map((row) => ({ ...row, ends: ends.get(row.id) ?? 0 })),
    ...(keys && { keys }),
    ...(next !== undefined && { cursor: next }),
  });
}

/** Those whose day has come are deleted, each with an audit row. Answers when the next day comes; null where none is scheduled. */
export function endDeleted(store: Store, now: number): number | null {
  const { sql } = store;
  const requestId = crypto.randomUUID();
  const due = "SELECT id FROM documents WHERE ends <= ? AND state = 'complete' ORDER BY ends LIMIT ?";
  for (const { id } of sql.exec<{ id: string }>(due, now, ENDED).toArray()) {
    const about = { action: "datastore:delete", caller: null, resource: `document/${id}`, requestId };
    authorize<null>(store, about, () => {
      markDeleted(sql, id, now);
      return ok(null);
    });
  }
  const next = "SELECT min(ends) AS next FROM documents WHERE ends IS NOT NULL AND state = 'complete'";
  return sql.exec<{ next: number | null }>(next).one().next;
}
