/**
 * Documents that are shared between accounts: at the account whose they are, who may read which; at the other, the records that it has received. What one
 * object has decided the other hears by outbox; a document is read by both of their words, each time.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { PutShare, ReceivedPage, ReceivedRow } from "#protocol/contract/index.ts";
import type { Caller } from "../caller.ts";
import { intend } from "../outbox.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, ok, refuse } from "../result.ts";
import { type DocumentRow, findDocument } from "./documents.ts";

/** A part of the migrations of an account's object. Times: seconds since 1970. */
export const SHARES_TABLES = `
  CREATE TABLE shares_given (
    share TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    document TEXT NOT NULL,
    -- That may read it.
    account TEXT NOT NULL,
    expires INTEGER NOT NULL,
    UNIQUE (document, account)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE shares_received (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    share TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    -- Whose it is.
    account TEXT NOT NULL,
    document TEXT NOT NULL,
    -- As the KMS has signed it.
    record TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    -- Of its metadata, sealed by a member of this account.
    copy BLOB,
    UNIQUE (account, document)
  ) STRICT;
`;

/** Of one document, and of all of an account. */
const MAX_OF_DOCUMENT = 50;
const MAX_GIVEN = 1000;
/** What one account may give another, and what one may have received of all: in each app, whose members see and decline what is theirs alone. */
const MAX_FROM_ONE = 200;
const MAX_RECEIVED = 1000;
/** A share stands no longer: a year, and a day for clocks and for what was waited for. Seconds. */
const LONGEST_LIFE = 367 * 24 * 3600;
const PAGE = 100;
/** Of one user, and as many that end: each leaves rows here and in the object of the other account. */
const SHARES_PER_MINUTE = 120;

/** What the other account's object is told. `requestId`: of the decision. */
export type ShareNews = { requestId: string; from: string; client: string } & (
  | { received: { share: string; document: string; record: string; created: number; expires: number } }
  | { ended: string }
);

export function addresseeOf(account: string): string {
  return `account/${account}`;
}

/** Inside `authorize()`. Sharing takes nobody the turn to end it. */
export function takeShareTurn(
  sql: SqlStorage,
  what: "datastore:share" | "datastore:unshare",
  { user }: Pick<Caller, "user">,
): Decision<null> {
  return takeTurn(sql, { what, user }, SHARES_PER_MINUTE, Date.now() / 1000);
}

type Given = { id: string; share: string; from: string } & PutShare;

/** Inside `authorize()`. What was shared with the account before gives way; the same again changes nothing. */
export function giveShare(
  sql: SqlStorage,
  caller: Caller,
  { id, share, from, to, record, expires }: Given,
  now: number,
): Decision<null> {
  const found = findDocument(sql, id, caller, ["complete"]);
  if (!found.ok) return found;
  if (to === from) return refuse("conflict", "the account has it already");
  if (!(now < expires && expires <= now + LONGEST_LIFE))
    return refuse("conflict", "not a time that a share can stand");
  sql.exec("DELETE FROM shares_given WHERE expires <= ?", now);
  // A refusal keeps what was done before it: what gives way goes last.
  const other = "SELECT 1 FROM shares_given WHERE share = ? AND NOT (document = ? AND account = ?)";
  if (sql.exec(other, share, id, to).toArray().length > 0)
    return refuse("conflict", "the share is of another document or account");
  const { all, here } = sql
    .exec<{ all: number; here: number }>(
      `SELECT count(*) AS "all", coalesce(sum(document = ?1), 0) AS here FROM shares_given
        WHERE NOT (document = ?1 AND account = ?2)`,
      ...[id, to],
    )
    .one();
  if (all >= MAX_GIVEN || here >= MAX_OF_DOCUMENT) return refuse("quota-exceeded", "shares of documents");
  sql.exec("DELETE FROM shares_given WHERE document = ? AND account = ?", id, to);
  const { client, requestId } = caller;
  sql.exec("INSERT INTO shares_given VALUES (?, ?, ?, ?, ?)", share, client, id, to, expires);
  const received = { share, document: id, record, created: now, expires };
  intend(sql, addresseeOf(to), { requestId, from, client, received } satisfies ShareNews);
  return ok(null);
}

/** Inside `authorize()`: one share of a document, or all of them; of a whole account where no document is named. */
export function endGiven(sql: SqlStorage, { requestId, from, client, document, share }: Ending): void {
  const ended = sql
    .exec<{ share: string; account: string; client: string }>(
      `DELETE FROM shares_given WHERE (?1 IS NULL OR client = ?1) AND (?2 IS NULL OR document = ?2)
        AND (?3 IS NULL OR share = ?3) RETURNING share, account, client`,
      ...[client ?? null, document ?? null, share ?? null],
    )
    .toArray();
  for (const { share: one, account, client: app } of ended)
    intend(sql, addresseeOf(account), { requestId, from, client: app, ended: one } satisfies ShareNews);
}
type Ending = { requestId: string; from: string; client?: string; document?: string; share?: string };

/** The document of a share that stands, for the account that it is for. Inside `authorize()`. */
export function findLent(
  sql: SqlStorage,
  caller: Pick<Caller, "client">,
  { share, to }: { share: string; to: string },
  now: number,
): Decision<DocumentRow> {
  const [given] = sql
    .exec<{ document: string }>(
      "SELECT document FROM shares_given WHERE share = ? AND account = ? AND client = ? AND expires > ?",
      ...[share, to, caller.client, now],
    )
    .toArray();
  if (given === undefined) return refuse("share-ended", "no such share, or it has ended");
  const found = findDocument(sql, given.document, caller, ["complete"]);
  return found.ok ? found : refuse("share-ended", "the document was deleted");
}

/** What would come from another account, in which app. */
export type Coming = { from: string; document: string; client: string };

/** Whether one more of this account may come: whoever shares is told so beforehand. What has ended takes no room. */
export function hasRoomFor(sql: SqlStorage, { from, document, client }: Coming, now: number): boolean {
  const { all, own } = sql
    .exec<{ all: number; own: number }>(
      `SELECT count(*) AS "all", coalesce(sum(account = ?1), 0) AS own FROM shares_received
        WHERE client = ?3 AND expires > ?4 AND NOT (account = ?1 AND document = ?2)`,
      ...[from, document, client, now],
    )
    .one();
  return all < MAX_RECEIVED && own < MAX_FROM_ONE;
}

/** Inside `authorize()`. Heard again, it changes nothing. */
export function takeNews(sql: SqlStorage, news: ShareNews, now: number): Decision<null> {
  const { from, client } = news;
  if ("ended" in news) {
    sql.exec("DELETE FROM shares_received WHERE share = ? AND account = ?", news.ended, from);
    return ok(null);
  }
  const { share, document, record, created, expires } = news.received;
  sql.exec("DELETE FROM shares_received WHERE expires <= ?", now);
  if (
    !(now < expires) ||
    sql.exec("SELECT 1 FROM shares_received WHERE share = ?", share).toArray().length > 0
  )
    return ok(null);
  if (!hasRoomFor(sql, { from, document, client }, now))
    return refuse("quota-exceeded", "received documents");
  sql.exec("DELETE FROM shares_received WHERE account = ? AND document = ?", from, document);
  sql.exec(
    `INSERT INTO shares_received (share, client, account, document, record, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ...[share, client, from, document, record, created, expires],
  );
  return ok(null);
}

type Received = Omit<ReceivedRow, "copy"> & { number: number; copy: ArrayBuffer | null };

/** Of an app, the newest first; those before the number `after`. */
export function listReceived(
  sql: SqlStorage,
  client: string,
  after: number | undefined,
  now: number,
): ReceivedPage {
  const rows = sql
    .exec<Received>(
      `SELECT number, share, account, document, record, created, expires, copy FROM shares_received
        WHERE client = ? AND number < ? AND expires > ? ORDER BY number DESC LIMIT ?`,
      ...[client, after ?? Number.MAX_SAFE_INTEGER, now, PAGE + 1],
    )
    .toArray();
  const received = rows.slice(0, PAGE).map(({ number: _, copy, ...row }) => ({
    ...row,
    ...(copy && { copy: encodeBase64url(new Uint8Array(copy)) }),
  }));
  const last = rows[PAGE - 1];
  return { received, ...(rows.length > PAGE && last && { next: last.number }) };
}

/** Whose the document of a received share is. */
export function findReceived(sql: SqlStorage, client: string, share: string): Decision<{ from: string }> {
  const [row] = sql
    .exec<{ from: string }>(
      `SELECT account AS "from" FROM shares_received WHERE client = ? AND share = ?`,
      ...[client, share],
    )
    .toArray();
  return row ? ok(row) : refuse("not-found", "nothing of that share was received");
}

export function endReceived(sql: SqlStorage, client: string, share: string): void {
  sql.exec("DELETE FROM shares_received WHERE client = ? AND share = ?", client, share);
}

export function keepCopy(sql: SqlStorage, client: string, share: string, copy: string): Decision<null> {
  const kept = sql.exec(
    "UPDATE shares_received SET copy = ? WHERE client = ? AND share = ? RETURNING share",
    ...[decodeBase64url(copy), client, share],
  );
  return kept.toArray().length === 1 ? ok(null) : refuse("not-found", "nothing of that share was received");
}

/** Of an account that is shredded nothing that it has received is known. */
export function endAllReceived(sql: SqlStorage): void {
  sql.exec("DELETE FROM shares_received");
}
