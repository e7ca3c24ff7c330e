/** What was interrupted is brought to its end: uploads that were left, completions and deletions that got stuck. */

import type { Store } from "../store.ts";
import { type DocumentRow, finishCompletion, forget } from "./documents.ts";
import { contentKey, metadataKey } from "./keys.ts";
import { endUpload } from "./writes.ts";

/** An upload to which nothing has happened for so long is abandoned. Milliseconds. */
const ABANDONED_MS = 24 * 3600 * 1000;
/** A completion or deletion that has not ended after so long is taken up by the alarm. */
export const STUCK_MS = 60_000;
/** A joining of parts from which nothing was heard for so long is lost; before that R2 may only be slow. */
export const LOST_MS = 3600 * 1000;

/** Settles what is due, of rows for which `only` (SQL) holds. Answers when to come again; null where nothing is left to settle. */
export async function sweep(store: Store, bucket: R2Bucket, only = "TRUE"): Promise<number | null> {
  const { sql } = store;
  const now = Date.now();
  const due = [
    ...sql.exec<DocumentRow>(
      `SELECT * FROM documents WHERE ((state = 'pending' AND touched <= ?)
       OR (state = 'deleted' AND touched <= ?)
       OR (state = 'completing' AND (touched <= ? OR (writing = 0 AND touched <= ?)))) AND ${only} LIMIT 20`,
      now - ABANDONED_MS,
      now - STUCK_MS,
      now - LOST_MS,
      now - STUCK_MS,
    ),
  ];
  for (const row of due) await settle(store, bucket, row).catch(() => undefined);
  const { next } = sql
    .exec<{ next: number | null }>(
      `SELECT min(CASE state WHEN 'pending' THEN touched + ? ELSE touched + ? END) AS next FROM documents
       WHERE state != 'complete' AND ${only}`,
      ABANDONED_MS,
      STUCK_MS,
    )
    .one();
  return next === null ? null : Math.max(next, now + STUCK_MS);
}

/** Ends what was interrupted: a joined upload, or a whole document that R2 has, becomes complete, everything else goes. */
async function settle(store: Store, bucket: R2Bucket, row: DocumentRow): Promise<void> {
  const { sql, tenant } = store;
  const key = contentKey(tenant, row);
  if (row.state === "completing") {
    const joined = await bucket.head(key);
    if (joined?.size === row.size) {
      store.transaction(() => finishCompletion(sql, row.id, joined.httpEtag));
      return;
    }
  }
  if (row.upload !== null) await endUpload(bucket, key, row.upload);
  await bucket.delete([key, metadataKey(tenant, row)]);
  store.transaction(() => forget(sql, row.id, { overdue: true }));
}
