/** Users and accounts that an earlier release kept in the tenant's own object, as their own objects take them over. */

import { principalId } from "#protocol/principal.ts";
import { deleteOverwritten } from "../overwrite.ts";
import type { Store } from "../store.ts";
import { BY_NAME } from "./name.ts";

/** An account, as its members know it. */
export type Membership = { account: string; name: string; created: number };

/** All of an account: what its own object begins with. */
export type Moved = Omit<Membership, "account"> & {
  deleted: number | null;
  /** Principals. */
  members: string[];
  keys: {
    id: string;
    version: number;
    wrapped: Uint8Array<ArrayBuffer>;
    master: string;
    created: number;
  }[];
};

/** The accounts of the user who signed in by this name, if there was one. The oldest first. */
export function accountsOfBefore(sql: SqlStorage, name: string): Membership[] {
  const rows = sql.exec<Membership>(
    `SELECT a.id AS account, a.name, a.created FROM users u JOIN members m ON m.user = u.id JOIN accounts a ON a.id = m.account
     WHERE u.name = ? AND a.deleted IS NULL ORDER BY a.created, a.id`,
    name,
  );
  return rows.toArray();
}

/** The account with this id, its members by the ids that they have now; null where there was none. */
export async function accountOfBefore({ sql, tenant }: Store, account: string): Promise<Moved | null> {
  const [row] = sql
    .exec<Pick<Moved, "name" | "created" | "deleted">>(
      "SELECT name, created, deleted FROM accounts WHERE id = ?",
      account,
    )
    .toArray();
  if (row === undefined) return null;
  const names = sql
    .exec<{ name: string }>(
      "SELECT u.name FROM members m JOIN users u ON u.id = m.user WHERE m.account = ?",
      account,
    )
    .toArray();
  const keys = sql
    .exec<{ id: string; version: number; wrapped: ArrayBuffer; master: string; created: number }>(
      "SELECT id, version, wrapped, master, created FROM account_keys WHERE account = ?",
      account,
    )
    .toArray();
  return {
    ...row,
    members: await Promise.all(
      names.map(({ name }) => principalId({ tenant, issuer: BY_NAME, subject: name })),
    ),
    keys: keys.map((key) => ({ ...key, wrapped: new Uint8Array(key.wrapped) })),
  };
}

/** Once nothing is here to decrypt a key with, destroying it in the account's own object destroys it. */
export function forgetKeys(sql: SqlStorage, account: string): void {
  deleteOverwritten(sql, { table: "account_keys", column: "wrapped" }, { column: "account", is: account });
}

/** The account is shredded: nobody finds it here any more, and nothing of its own is left. */
export function forgetAccount(sql: SqlStorage, account: string, now: number): void {
  forgetKeys(sql, account);
  sql.exec("DELETE FROM members WHERE account = ?", account);
  sql.exec("UPDATE accounts SET deleted = ? WHERE id = ? AND deleted IS NULL", now, account);
}
