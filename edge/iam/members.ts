/** An account as its own object keeps it: that it exists, and who may act for it. */

import { type Decision, ok, refuse } from "../result.ts";
import type { Moved } from "./earlier.ts";

/** Begins it. Inside `authorize()`; a second time changes nothing. */
export function keepAccount(sql: SqlStorage, account: string, begun: Moved): void {
  if (isFounded(sql)) return;
  const { name, created, deleted, members, keys } = begun;
  sql.exec(
    "INSERT INTO account (id, name, created, deleted) VALUES (?, ?, ?, ?)",
    ...[account, name, created, deleted],
  );
  for (const member of members) sql.exec("INSERT INTO members VALUES (?)", member);
  for (const { id, version, wrapped, master, created } of keys)
    sql.exec(
      "INSERT INTO account_keys (id, version, wrapped, master, created) VALUES (?, ?, ?, ?, ?)",
      ...[id, version, wrapped.buffer, master, created],
    );
}

export function isFounded(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM account").toArray().length === 1;
}

/** Whether a user may act for the account, which lives and is not scheduled for deletion. */
export function checkMember(sql: SqlStorage, user: string): Decision<null> {
  const [member] = sql
    .exec<{ ends: number | null }>(
      "SELECT account.ends FROM members, account WHERE members.user = ? AND account.deleted IS NULL",
      user,
    )
    .toArray();
  if (member === undefined) return refuse("forbidden", "the user is not a member of this account");
  return member.ends === null
    ? ok(null)
    : refuse("pending-deletion", "the account is scheduled for deletion");
}

/** Whether a user is a member of the account, whatever becomes of that. */
export function isMember(sql: SqlStorage, user: string): boolean {
  return sql.exec("SELECT 1 FROM members WHERE user = ?", user).toArray().length === 1;
}
