/** The table of documents: every change of state is one statement that names the state before. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import {
  type Completion,
  type DocumentPage,
  MIN_PART,
  type Part,
  type TakenPart,
} from "#protocol/contract/index.ts";
import type { Caller } from "../caller.ts";
import { type Decision, ok, refuse, refuseForNow } from "../result.ts";
import { type Stored, tell } from "./listed.ts";

export type DocumentRow = {
  id: string;
  account: string;
  client: string;
  state: "pending" | "completing" | "complete" | "deleted";
  upload: string | null;
  size: number;
  metadata: number;
  writing: number;
  created: number;
  /** Digest of the completion that was asked for first, or of a document that came as a whole. */
  completion: string | null;
  /** R2's, once the document is complete. */
  etag: string | null;
  /** When it will be deleted, milliseconds since 1970; absent in the object of a whole tenant, which knows of no such thing. */
  ends?: number | null;
};

/** The account's document with this id, in whichever state and of whichever app. */
export function readRow(sql: SqlStorage, id: string): DocumentRow | undefined {
  return sql.exec<DocumentRow>("SELECT * FROM documents WHERE id = ?", id).toArray()[0];
}

/** Whose a document is: one account's, and of the app that sealed it (M13). Not one user's: an account may have several. */
export type Owner = { account: string; client: string };

/** Uploads that one account may have open at a time in one app. */
const MAX_PENDING = 64;
/** An upload that has been idle this long gives way to another. */
const IDLE_MS = 10 * 60_000;
/** Documents of a page of the list. */
const PAGE = 500;

/**
 * Opens an upload under the id that the custodian has chosen. The same request again, before anything was uploaded, is
 * answered as the first time: its answer was lost. Any other use of an id that the account has is refused, whichever app it is of.
 */
export function insertDocument(
  sql: SqlStorage,
  { account, client }: Owner,
  now: number,
  id: string = crypto.randomUUID(),
): Decision<{ id: string; account: string; upload: string | null }> {
  const there = readRow(sql, id);
  if (there) {
    const same = there.account === account && there.client === client;
    if (!same || !isUntouched(sql, there)) return refuse("conflict", "document id is taken");
    return ok({ id, account, upload: there.upload });
  }
  const { open } = sql
    .exec<{ open: number }>(
      "SELECT count(*) AS open FROM documents WHERE account = ? AND client = ? AND state = 'pending'",
      account,
      client,
    )
    .one();
  if (!(open < MAX_PENDING)) {
    const [idle] = sql
      .exec<{ id: string }>(
        `SELECT id FROM documents WHERE account = ? AND client = ? AND state = 'pending' AND writing = 0
         AND touched <= ? ORDER BY touched LIMIT 1`,
        account,
        client,
        now - IDLE_MS,
      )
      .toArray();
    if (idle === undefined) return refuseForNow("too many open uploads", 60);
    markDeleted(sql, idle.id, now);
  }
  sql.exec(
    "INSERT INTO documents (id, account, client, state, created, touched) VALUES (?, ?, ?, 'pending', ?, ?)",
    id,
    account,
    client,
    now,
    now,
  );
  return ok({ id, account, upload: null });
}

function isUntouched(sql: SqlStorage, { id, state, metadata, writing }: DocumentRow): boolean {
  if (state !== "pending" || metadata > 0 || writing > 0) return false;
  return sql.exec("SELECT 1 FROM parts WHERE document = ?", id).toArray().length === 0;
}

/** The document if it is of the caller's app, and in one of these states. Others do not exist. */
export function findDocument(
  sql: SqlStorage,
  id: string,
  caller: Pick<Caller, "client">,
  states: readonly DocumentRow["state"][],
): Decision<DocumentRow> {
  const row = readRow(sql, id);
  if (!row || row.state === "deleted") return refuse("not-found", "no such document");
  if (row.client !== caller.client) return refuse("not-found", "document belongs to another app");
  if (row.ends != null) return refuse("not-found", "document will be deleted");
  return states.includes(row.state) ? ok(row) : refuse("conflict", `document is ${row.state}`);
}

/** Notes R2's upload of a document; false when it has another one already, or is not there any more. */
export function setUpload(sql: SqlStorage, id: string, upload: string): boolean {
  const set = sql.exec(
    "UPDATE documents SET upload = ? WHERE id = ? AND state = 'pending' AND upload IS NULL RETURNING id",
    upload,
    id,
  );
  return set.toArray().length === 1;
}

/** R2 has a part. What it takes is certain if no other write of the same part was about; else the most that it may be. */
export function recordPart(sql: SqlStorage, id: string, part: Part, size: number, now: number): void {
  sql.exec("UPDATE documents SET touched = ? WHERE id = ?", now, id);
  sql.exec(
    `INSERT INTO parts (document, part, etag, size, held) SELECT id, ?1, ?2, ?3, ?3 FROM documents
     WHERE id = ?4 AND state = 'pending'
     ON CONFLICT (document, part) DO UPDATE SET etag = excluded.etag, size = excluded.size,
       held = CASE WHEN writes <= 1 THEN excluded.size ELSE max(held, excluded.size) END,
       writes = CASE WHEN writes <= 1 THEN 0 ELSE writes END`,
    part.part,
    part.etag,
    size,
    id,
  );
}

/**
 * From pending to completing, or again if the answer was lost: the parts that the client lists must be the parts that were taken, without a gap, of the
 * whole size, all but the last of one size; and the sealed metadata must be there. A document that is complete already is
 * answered as it was then, if this is the same completion; `digest` is that of what was claimed.
 */
export function beginCompletion(
  sql: SqlStorage,
  row: DocumentRow,
  claimed: Completion,
  now: number,
  digest: string | null = null,
): Decision<DocumentRow> {
  if (row.state === "complete") {
    const same = digest !== null && row.completion === digest;
    return same ? ok(row) : refuse("conflict", "document was completed otherwise");
  }
  if (row.metadata === 0) return refuse("conflict", "document has no metadata yet");
  const taken = takenParts(sql, row.id);
  const same =
    taken.length === claimed.parts.length &&
    taken.every(({ part, etag }, i) => {
      const claim = claimed.parts[i];
      return part === i + 1 && claim?.part === part && claim.etag === etag;
    });
  const [first] = taken;
  if (!same || !first) return refuse("conflict", "parts are not those that were taken");
  const size = taken.reduce((sum, part) => sum + part.size, 0);
  if (size !== claimed.size) return refuse("conflict", "size is not that of the parts");
  const even = taken.every((part, i) =>
    i < taken.length - 1 ? part.size === first.size && first.size >= MIN_PART : part.size <= first.size,
  );
  if (!even) return refuse("conflict", "parts differ in size or are too small");
  sql.exec(
    "UPDATE documents SET state = 'completing', size = ?, completion = ?, touched = ? WHERE id = ? AND state IN ('pending', 'completing')",
    size,
    digest,
    now,
    row.id,
  );
  return ok({ ...row, size });
}

/** The parts of an upload that R2 has. */
export function takenParts(sql: SqlStorage, id: string): TakenPart[] {
  const query = "SELECT part, etag, size FROM parts WHERE document = ? AND etag != '' ORDER BY part";
  return [...sql.exec<TakenPart>(query, id)];
}

/**
 * Begins a document that comes as a whole, or begins it again if the answer was lost; `digest` is that of content and metadata. One that is
 * stored already is answered as it was then. Any other use of an id that the account has is refused.
 */
export function beginWhole(
  sql: SqlStorage,
  { account, client }: Owner,
  { id, size, metadata, digest }: Whole,
  now: number,
): Decision<DocumentRow> {
  const there = readRow(sql, id);
  if (there) {
    const same = there.account === account && there.client === client && there.completion === digest;
    const repeated = same && (there.state === "complete" || there.state === "completing");
    return repeated ? ok(there) : refuse("conflict", "document id is taken");
  }
  const entered = sql.exec<DocumentRow>(
    `INSERT INTO documents (id, account, client, state, size, metadata, held, completion, created, touched)
     VALUES (?1, ?2, ?3, 'completing', ?4, ?5, ?5, ?6, ?7, ?7) RETURNING *`,
    ...[id, account, client, size, metadata, digest, now],
  );
  return ok(entered.one());
}

/** Bytes of ciphertext and of sealed metadata. */
export type Whole = { id: string; size: number; metadata: number; digest: string };

/** Notes that an object is about to be written for a document; one of the functions below says that it was. */
export function beginWrite(sql: SqlStorage, id: string): void {
  sql.exec("UPDATE documents SET writing = writing + 1 WHERE id = ?", id);
}

export function endWrite(sql: SqlStorage, id: string): void {
  sql.exec("UPDATE documents SET writing = max(writing - 1, 0) WHERE id = ?", id);
}

/**
 * The parts are joined. True when the document is complete now, by this attempt or by another one; false when it was
 * deleted meanwhile: then the object must go.
 */
export function finishCompletion(sql: SqlStorage, id: string, etag: string | null = null): boolean {
  sql.exec(
    "UPDATE documents SET state = 'complete', etag = ? WHERE id = ? AND state = 'completing'",
    etag,
    id,
  );
  sql.exec("DELETE FROM parts WHERE document = ?", id);
  return sql.exec("SELECT 1 FROM documents WHERE id = ? AND state = 'complete'", id).toArray().length === 1;
}

/** Sealed metadata was stored for a document. False when the document was deleted meanwhile: then it must go. */
export function recordMetadata(sql: SqlStorage, id: string, size: number, now: number): boolean {
  endWrite(sql, id);
  // What a write that is still under way has taken may be what lies there in the end.
  const done = sql.exec(
    `UPDATE documents SET metadata = ?1, held = CASE writing WHEN 0 THEN ?1 ELSE max(held, ?1) END, touched = ?2
     WHERE id = ?3 AND state != 'deleted' RETURNING id`,
    size,
    now,
    id,
  );
  return done.toArray().length === 1;
}

export function markDeleted(sql: SqlStorage, id: string, now: number): void {
  sql.exec("UPDATE documents SET state = 'deleted', touched = ? WHERE id = ?", now, id);
}

/** R2 has nothing of it any more. The row stays while a write is under way, unless it has been for too long. */
export function forget(sql: SqlStorage, id: string, { overdue = false } = {}): void {
  const gone = sql.exec(
    "DELETE FROM documents WHERE id = ? AND state != 'complete' AND (writing = 0 OR ?) RETURNING id",
    id,
    overdue ? 1 : 0,
  );
  if (gone.toArray().length === 1) sql.exec("DELETE FROM parts WHERE document = ?", id);
}

/** The account's complete documents in this app, newest first. `cursor` comes from the page before. */
export function listDocuments(
  sql: SqlStorage,
  { account, client }: Owner,
  cursor: string | undefined,
  limit?: number,
): Decision<DocumentPage> {
  const page = nextPage<Stored>(sql, { account, client }, cursor, "AND ends IS NULL", limit);
  if (!page.ok) return page;
  const { rows, cursor: next } = page.value;
  return ok({ ...tell(sql, rows), ...(next !== undefined && { cursor: next }) });
}

/** Those of these that are in the list. */
export function listNamed(
  sql: SqlStorage,
  { account, client }: Owner,
  ids: readonly string[],
): Decision<DocumentPage> {
  const rows = sql
    .exec<Stored>(
      `SELECT id, account, size, created, listed, listed_key FROM documents WHERE account = ? AND client = ? AND state = 'complete'
       AND ends IS NULL AND id IN (SELECT value FROM json_each(?))`,
      ...[account, client, JSON.stringify(ids)],
    )
    .toArray();
  return ok(tell(sql, rows));
}

/** A page of complete documents for which `only` (SQL) holds, and the cursor of the next one where there is one. */
export function nextPage<R extends Stored>(
  sql: SqlStorage,
  { account, client }: Owner,
  cursor: string | undefined,
  only: `AND ${string}`,
  limit = PAGE,
): Decision<{ rows: R[]; cursor: string | undefined }> {
  const after = cursor === undefined ? { created: Number.MAX_SAFE_INTEGER, id: "" } : readCursor(cursor);
  if (!after) return refuse("bad-request", "malformed cursor");
  const most = Math.min(limit, PAGE);
  const found = sql
    .exec<R>(
      `SELECT id, account, size, created, listed, listed_key, ends FROM documents WHERE account = ? AND client = ?
       AND state = 'complete' ${only} AND (created, id) < (?, ?) ORDER BY created DESC, id DESC LIMIT ?`,
      ...[account, client, after.created, after.id, most + 1],
    )
    .toArray();
  const rows = found.slice(0, most);
  const last = found.length > most ? rows.at(-1) : undefined;
  return ok({ rows, cursor: last && encodeBase64url(utf8(`${last.created} ${last.id}`)) });
}

function readCursor(cursor: string): { created: number; id: string } | null {
  try {
    const [created, id, ...more] = new TextDecoder().decode(decodeBase64url(cursor.slice(0, 128))).split(" ");
    const time = Number(created);
    return id !== undefined && more.length === 0 && Number.isSafeInteger(time) ? { created: time, id } : null;
  } catch {
    return null;
  }
}
