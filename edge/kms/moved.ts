/** Data keys that go from the tenant's object of earlier releases to the object of their account. Nothing here changes them. */

import { insertRow, type Page } from "../handover.ts";

/** A row as it is stored. */
export type Moved = {
  id: string;
  version: number;
  account: string;
  client: string;
  owner: string;
  purpose: string;
  account_key: string;
  account_key_version: number;
  created: number;
  expires: number | null;
  state: string;
  policy: string;
};

const PAGE = 500;

/** In the order of the index on accounts. */
export function pageOf(sql: SqlStorage, account: string, after: string | null): Page<Moved> {
  const [created = "-1", id = "", version = "0"] = (after ?? "-1").split(" ");
  const rows = sql
    .exec<Moved>(
      `SELECT * FROM data_keys WHERE account = ? AND (created, id, version) > (?, ?, ?)
       ORDER BY created, id, version LIMIT ?`,
      account,
      Number(created),
      id,
      Number(version),
      PAGE,
    )
    .toArray();
  const last = rows.at(-1);
  const more = last !== undefined && rows.length === PAGE;
  return { rows, next: more ? `${last.created} ${last.id} ${last.version}` : null };
}

/** At the account's object. */
export function insertMoved(sql: SqlStorage, row: Moved): void {
  insertRow(sql, "data_keys", row);
}

/** Forgets some of the account's data keys; true when none is left. */
export function forgetAccount(sql: SqlStorage, account: string): boolean {
  const gone = sql.exec(
    `DELETE FROM data_keys WHERE (id, version) IN
     (SELECT id, version FROM data_keys WHERE account = ? LIMIT ?) RETURNING id`,
    account,
    PAGE,
  );
  return gone.toArray().length < PAGE;
}
