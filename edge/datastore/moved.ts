/** Documents that go from the tenant's object of earlier releases to the object of their account. */

import { insertRow, type Page } from "../handover.ts";
import type { DocumentRow } from "./documents.ts";

type DocumentColumns = DocumentRow & { touched: number; held: number };
type PartColumns = {
  document: string;
  part: number;
  etag: string;
  size: number;
  held: number;
  writes: number;
};

/** A row as it is stored. */
export type Moved = { document: DocumentColumns } | { part: PartColumns };

/** Rows of one page. */
const PAGE = 500;
/** Documents that are forgotten at a time. */
const FORGET = 500;

/** SQL: of an account whose own object has not asked yet. */
export const NOT_MOVED = "account NOT IN (SELECT account FROM moved)";

export function isMoved(sql: SqlStorage, account: string): boolean {
  return sql.exec("SELECT 1 FROM moved WHERE account = ?", account).toArray().length === 1;
}

/** First all documents, then all parts: a part without its document would count nowhere. In a transaction. */
export function pageOf(sql: SqlStorage, account: string, after: string | null): Page<Moved> {
  const [kind, id = "", part = "0"] = (after ?? "document").split(" ");
  if (kind === "part") return partsOf(sql, account, id, Number(part));
  const documents = sql
    .exec<DocumentColumns>(
      "SELECT * FROM documents WHERE account = ? AND id > ? ORDER BY id LIMIT ?",
      account,
      id,
      PAGE,
    )
    .toArray();
  const last = documents.at(-1);
  if (last === undefined && after === null) return { rows: [], next: null };
  sql.exec("INSERT OR IGNORE INTO moved VALUES (?)", account);
  const rows = documents.map((document) => ({ document }));
  return { rows, next: last && documents.length === PAGE ? `document ${last.id}` : "part" };
}

function partsOf(sql: SqlStorage, account: string, document: string, part: number): Page<Moved> {
  const parts = sql
    .exec<PartColumns>(
      `SELECT p.* FROM parts p JOIN documents d ON d.id = p.document
       WHERE d.account = ? AND (p.document, p.part) > (?, ?) ORDER BY p.document, p.part LIMIT ?`,
      account,
      document,
      part,
      PAGE,
    )
    .toArray();
  const last = parts.at(-1);
  const rows = parts.map((each) => ({ part: each }));
  return { rows, next: last && parts.length === PAGE ? `part ${last.document} ${last.part}` : null };
}

/** At the account's object. */
export function insertMoved(sql: SqlStorage, row: Moved): void {
  if ("document" in row) insertRow(sql, "documents", row.document);
  else insertRow(sql, "parts", row.part);
}

/** Forgets some of the account's documents; true when none is left. In a transaction. */
export function forgetAccount(sql: SqlStorage, account: string): boolean {
  const some = "SELECT id FROM documents WHERE account = ? ORDER BY id LIMIT ?";
  sql.exec(`DELETE FROM parts WHERE document IN (${some})`, account, FORGET);
  const gone = sql.exec(`DELETE FROM documents WHERE id IN (${some}) RETURNING id`, account, FORGET);
  if (gone.toArray().length === FORGET) return false;
  sql.exec("DELETE FROM usage WHERE account = ?", account);
  sql.exec("DELETE FROM moved WHERE account = ?", account);
  return true;
}
