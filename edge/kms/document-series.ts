/**
 * Versions of one document at the KMS: each is a document of its own with its row in the version index, and here stands which of them is the
 * newest, so that of two who save at once one is told.
 */

import type { Lead } from "#protocol/contract/index.ts";

/** A part of the migrations of an account's object. */
export const DOCUMENT_SERIES_TABLE = `
  CREATE TABLE document_series (
    client TEXT NOT NULL,
    -- The id of the first version.
    first TEXT NOT NULL,
    -- Of the newest.
    newest TEXT NOT NULL,
    PRIMARY KEY (client, first),
    UNIQUE (client, newest)
  ) STRICT, WITHOUT ROWID;
`;

/** The document that stands in the way of this one as the newest version; undefined where none does. `gone`: whether one is deleted. */
export function inTheWayOf(
  sql: SqlStorage,
  client: string,
  { document, first, over }: Lead,
  gone: (document: string) => boolean,
): string | undefined {
  // A document is a version of one series, and stays in it.
  const leads = "SELECT 1 FROM document_series WHERE client = ? AND newest = ? AND first <> ?";
  if (sql.exec(leads, client, document, first).toArray().length > 0) return document;
  const newest = newestOf(sql, client, first);
  if (newest === undefined) return gone(over) ? over : undefined;
  // It leads already: the answer was lost.
  return newest === over || newest === document ? undefined : newest;
}

export function takeLead(sql: SqlStorage, client: string, { document, first }: Lead): void {
  sql.exec("INSERT OR REPLACE INTO document_series VALUES (?, ?, ?)", client, first, document);
}

/** It is deleted: whichever of the others stands may be followed. */
export function endLead(sql: SqlStorage, client: string, document: string): void {
  sql.exec("DELETE FROM document_series WHERE client = ? AND newest = ?", client, document);
}

export function newestOf(sql: SqlStorage, client: string, first: string): string | undefined {
  const find = "SELECT newest FROM document_series WHERE client = ? AND first = ?";
  return sql.exec<{ newest: string }>(find, client, first).toArray()[0]?.newest;
}

export function endAllSeries(sql: SqlStorage): void {
  sql.exec("DELETE FROM document_series");
}
