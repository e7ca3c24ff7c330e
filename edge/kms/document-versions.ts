/**
 * Rows of the version index of an account's documents, one index an app: what stands in the datastore, at the KMS, which has no way there.
 * Every row that changes takes the next number of its index, by which readers ask for what has changed.
 */

import type { VersionChange, VersionsPut } from "#protocol/contract/index.ts";
import { bucketOf, lineOf, MAX_ROWS, MAX_ROWS_READ, type VersionRow } from "#protocol/version-index.ts";
import { type Decision, ok, refuse } from "../result.ts";
import { endAllSeries, endLead, inTheWayOf, takeLead } from "./document-series.ts";

/** A part of the migrations of an account's object. */
export const DOCUMENT_VERSIONS_TABLES = `
  CREATE TABLE version_indexes (
    client TEXT PRIMARY KEY,
    -- The number of the last change.
    sequence INTEGER NOT NULL,
    -- Whether documents of releases without an index are in it.
    founded INTEGER NOT NULL,
    -- How many rows there are.
    held INTEGER NOT NULL,
    -- Rows were dropped by the change of this number: cursors before it are of no use.
    dropped INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE document_versions (
    client TEXT NOT NULL,
    document TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- What is sealed, as metadata names it, and digests: SHA-256, base64url.
    message_id TEXT,
    header_digest TEXT,
    metadata_digest TEXT,
    key_record_digest TEXT,
    deleted INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    -- Number of its last change.
    sequence INTEGER NOT NULL,
    PRIMARY KEY (client, document)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX document_versions_changed ON document_versions (client, sequence);
  CREATE INDEX document_versions_by_bucket ON document_versions (client, bucket);
  CREATE INDEX document_versions_deleted ON document_versions (client, sequence) WHERE deleted = 1;
  -- Hashes of buckets as they were when the change hashed was the last one in it; changed is the last one now.
  CREATE TABLE version_buckets (
    client TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    hashed INTEGER NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (client, bucket)
  ) STRICT, WITHOUT ROWID;
`;

/** Rows of documents that were deleted first, dropped at a time where there is no room. */
const DROPPED = 1000;

type Index = { sequence: number; founded: number; held: number; dropped: number };
type Row = {
  document: string;
  version: number;
  message_id: string | null;
  header_digest: string | null;
  metadata_digest: string | null;
  key_record_digest: string | null;
  deleted: number;
  sequence: number;
};

/**
 * The index of a client; one that is not there yet counts on from what the account's others have come to. An app that is registered as
 * another client is so no step back for who has seen its index: a vault takes no lower number for one account and origin. Whoever has
 * rows of the index before reads all again.
 */
export function readIndex(sql: SqlStorage, client: string): Index {
  const find = "SELECT sequence, founded, held, dropped FROM version_indexes WHERE client = ?";
  const [found] = sql.exec<Index>(find, client).toArray();
  if (found !== undefined) return found;
  const { highest } = sql
    .exec<{ highest: number | null }>("SELECT max(sequence) AS highest FROM version_indexes")
    .one();
  const sequence = highest === null ? 0 : highest + 1;
  return { sequence, founded: 0, held: 0, dropped: sequence };
}

/** Inside `authorize()`: compares and swaps, row by row. */
export function putVersions(
  sql: SqlStorage,
  client: string,
  { rows, founded, leads = [] }: VersionChange,
  most = MAX_ROWS,
): Decision<VersionsPut> {
  const index = readIndex(sql, client);
  const before = { ...index };
  const conflicts: VersionsPut["conflicts"] = [];
  const gone = (document: string) => findVersion(sql, client, document)?.deleted === true;
  const leading = new Map(leads.map((lead) => [lead.document, lead]));
  for (const row of rows) {
    const lead = leading.get(row.document);
    const other = lead && !row.deleted ? inTheWayOf(sql, client, lead, gone) : undefined;
    const standing = findVersion(sql, client, row.document);
    const next = nextRow(standing, row);
    // Said again since the answer was lost, it is no conflict with what has followed meanwhile.
    const followed = next === "stands" && other !== row.document;
    if (other !== undefined && !followed) {
      const newest = findVersion(sql, client, other);
      conflicts.push({ document: row.document, ...(newest && { standing: newest }) });
      continue;
    }
    if (next === "stands") {
      if (lead && !row.deleted && other === undefined) takeLead(sql, client, lead);
      continue;
    }
    if (next === "conflict") {
      conflicts.push({ document: row.document, ...(standing && { standing }) });
      continue;
    }
    if (!standing && !makeRoom(sql, client, index, most)) {
      // A refusal keeps the rows before this one: they are counted.
      keep(sql, client, index);
      return refuse("quota-exceeded", "rows of the version index");
    }
    if (!standing) index.held++;
    write(sql, client, next, ++index.sequence);
    if (next.deleted) endLead(sql, client, row.document);
    else if (lead) takeLead(sql, client, lead);
  }
  if (founded) index.founded = 1;
  if (index.sequence !== before.sequence || index.founded !== before.founded) keep(sql, client, index);
  return ok({ sequence: index.sequence, founded: index.founded === 1, conflicts });
}

/** Rows that have changed since, in the order of their changes; `all`: no more have. */
export function changesAfter(
  sql: SqlStorage,
  client: string,
  after: number,
  limit = MAX_ROWS_READ,
): { rows: VersionRow[]; sequence: number; all: boolean; again: boolean } {
  const { dropped } = readIndex(sql, client);
  const again = after > 0 && after < dropped;
  const from = again ? 0 : after;
  const found = sql
    .exec<Row>(
      "SELECT * FROM document_versions WHERE client = ? AND sequence > ? ORDER BY sequence LIMIT ?",
      ...[client, from, limit + 1],
    )
    .toArray();
  const page = found.slice(0, limit);
  return {
    rows: page.map(toRow),
    sequence: page.at(-1)?.sequence ?? from,
    all: found.length <= limit,
    again,
  };
}

/** Lines of a bucket's rows, to be hashed. */
export function linesOf(sql: SqlStorage, client: string, bucket: number): string[] {
  const find = "SELECT * FROM document_versions WHERE client = ? AND bucket = ?";
  return sql
    .exec<Row>(find, client, bucket)
    .toArray()
    .map((row) => lineOf(toRow(row)));
}

/** A bucket that has had rows. */
export type Bucket = { bucket: number; changed: number; hashed: number; hash: string };

export function bucketsOf(sql: SqlStorage, client: string): Bucket[] {
  const find = "SELECT bucket, changed, hashed, hash FROM version_buckets WHERE client = ?";
  return sql.exec<Bucket>(find, client).toArray();
}

/** Hashes of buckets as they were after the change `changed`. */
export function keepHashes(sql: SqlStorage, client: string, buckets: readonly Bucket[]): void {
  for (const { bucket, changed, hash } of buckets)
    sql.exec(
      "UPDATE version_buckets SET hashed = ?1, hash = ?2 WHERE client = ?3 AND bucket = ?4 AND hashed < ?1",
      ...[changed, hash, client, bucket],
    );
}

export function endAllDocumentVersions(sql: SqlStorage): void {
  for (const table of ["document_versions", "version_buckets", "version_indexes"])
    sql.exec(`DELETE FROM ${table}`);
  endAllSeries(sql);
}

/** What takes the place of what stands. */
function nextRow(standing: VersionRow | undefined, row: VersionRow): VersionRow | "stands" | "conflict" {
  if (row.deleted) {
    if (!standing || standing.deleted) return "stands";
    return { document: row.document, version: standing.version + 1, deleted: true };
  }
  // The same request again: its answer was lost.
  if (standing && lineOf(standing) === lineOf(row)) return "stands";
  return row.version === (standing?.version ?? 0) + 1 ? row : "conflict";
}

export function findVersion(sql: SqlStorage, client: string, document: string): VersionRow | undefined {
  const rows = "SELECT * FROM document_versions WHERE client = ? AND document = ?";
  const [found] = sql.exec<Row>(rows, client, document).toArray();
  return found && toRow(found);
}

function write(sql: SqlStorage, client: string, row: VersionRow, sequence: number): void {
  const { document, version, messageId, headerDigest, metadataDigest, keyRecordDigest, deleted } = row;
  const said = [messageId, headerDigest, metadataDigest, keyRecordDigest].map((each) => each ?? null);
  const bucket = bucketOf(document);
  sql.exec(
    "INSERT OR REPLACE INTO document_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ...[client, document, version, ...said, deleted ? 1 : 0, bucket, sequence],
  );
  touch(sql, client, bucket, sequence);
}

function touch(sql: SqlStorage, client: string, bucket: number, sequence: number): void {
  sql.exec(
    `INSERT INTO version_buckets VALUES (?1, ?2, ?3, 0, '')
      ON CONFLICT (client, bucket) DO UPDATE SET changed = ?3`,
    ...[client, bucket, sequence],
  );
}

function keep(sql: SqlStorage, client: string, { sequence, founded, held, dropped }: Index): void {
  const put = "INSERT OR REPLACE INTO version_indexes VALUES (?, ?, ?, ?, ?)";
  sql.exec(put, client, sequence, founded, held, dropped);
}

/** Of documents that are gone the first rows go where there is no room, as one more change: whoever has them reads all again. */
function makeRoom(sql: SqlStorage, client: string, index: Index, most: number): boolean {
  if (index.held < most) return true;
  const gone = sql
    .exec<{ document: string; bucket: number }>(
      `DELETE FROM document_versions WHERE client = ?1 AND document IN
        (SELECT document FROM document_versions WHERE client = ?1 AND deleted = 1 ORDER BY sequence LIMIT ?2)
        RETURNING document, bucket`,
      ...[client, DROPPED],
    )
    .toArray();
  if (gone.length === 0) return false;
  index.held -= gone.length;
  index.dropped = ++index.sequence;
  for (const bucket of new Set(gone.map(({ bucket }) => bucket))) touch(sql, client, bucket, index.sequence);
  return true;
}

function toRow(row: Row): VersionRow {
  const { document, version, message_id, header_digest, metadata_digest, key_record_digest, deleted } = row;
  return {
    ...{ document, version },
    ...(message_id !== null && { messageId: message_id }),
    ...(header_digest !== null && { headerDigest: header_digest }),
    ...(metadata_digest !== null && { metadataDigest: metadata_digest }),
    ...(key_record_digest !== null && { keyRecordDigest: key_record_digest }),
    ...(deleted === 1 && { deleted: true }),
  };
}
