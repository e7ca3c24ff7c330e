/** An account as its own object keeps it: that it exists, and who may act for it. */

import type { AccountRole } from "#protocol/roles.ts";
import { intend } from "../outbox.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { Moved } from "./earlier.ts";
import type { End, Join } from "./news.ts";

/** Begins it. Inside `authorize()`; a second time changes nothing. */
export function keepAccount(sql: SqlStorage, account: string, begun: Moved): void {
  if (isFounded(sql)) return;
  const { name, created, deleted, members, keys } = begun;
  sql.exec(
    "INSERT INTO account (id, name, created, deleted) VALUES (?, ?, ?, ?)",
    ...[account, name, created, deleted],
  );
  for (const member of members)
    sql.exec(
      "INSERT INTO members (user, role, name, since) VALUES (?, 'owner', ?, ?)",
      member,
      name,
      created,
    );
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
export function checkMember(sql: SqlStorage, user: string): Decision<AccountRole> {
  const [member] = sql
    .exec<{ role: AccountRole; ends: number | null }>(
      "SELECT members.role, account.ends FROM members, account WHERE members.user = ? AND account.deleted IS NULL",
      user,
    )
    .toArray();
  if (member === undefined) return refuse("forbidden", "the user is not a member of this account");
  return member.ends === null
    ? ok(member.role)
    : refuse("pending-deletion", "the account is scheduled for deletion");
}

/** Whether a user is a member of the account, whatever becomes of that. */
export function isMember(sql: SqlStorage, user: string): boolean {
  return sql.exec("SELECT 1 FROM members WHERE user = ?", user).toArray().length === 1;
}

/** The same of an owner. */
export function isOwner(sql: SqlStorage, user: string): boolean {
  return sql.exec("SELECT 1 FROM members WHERE user = ? AND role = 'owner'", user).toArray().length === 1;
}

/** Whether the user may change what is in the account. */
export function checkWriter(sql: SqlStorage, user: string): Decision<AccountRole> {
  const member = checkMember(sql, user);
  return member.ok && member.value === "reader" ? refuse("forbidden", "a reader changes nothing") : member;
}

export function checkOwner(sql: SqlStorage, user: string): Decision<AccountRole> {
  const member = checkMember(sql, user);
  return member.ok && member.value !== "owner"
    ? refuse("forbidden", "the user owns no such account")
    : member;
}

/** Whether the account goes on without this user as an owner. */
export function hasOtherOwner(sql: SqlStorage, user: string): boolean {
  const others = sql.exec("SELECT 1 FROM members WHERE role = 'owner' AND user <> ? LIMIT 1", user);
  return others.toArray().length === 1;
}

/** A part of the migrations of an account's object: who was a member before there were roles is an owner. */
export const MEMBER_ROLES = `
  ALTER TABLE members ADD COLUMN role TEXT NOT NULL DEFAULT 'owner' CHECK (role IN ('owner', 'member', 'reader'));
  -- As the provider had told it when the member came.
  ALTER TABLE members ADD COLUMN name TEXT NOT NULL DEFAULT '';
  ALTER TABLE members ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
`;

/** Of one account: each is told when it ends. */
const MAX_MEMBERS = 100;

export type MemberRow = { user: string; name: string; role: AccountRole; since: number };

export function listMembers(sql: SqlStorage): MemberRow[] {
  return sql.exec<MemberRow>("SELECT user, name, role, since FROM members ORDER BY since, user").toArray();
}

/** Inside `authorize()`, for an owner. One who is a member already gets the role; the last owner stays one. */
export function putMember(
  sql: SqlStorage,
  member: Omit<MemberRow, "since">,
  { by, now }: { by: string; now: number },
): Decision<null> {
  const owner = checkOwner(sql, by);
  if (!owner.ok) return owner;
  const { user, name, role } = member;
  const known = sql.exec("SELECT 1 FROM members WHERE user = ?", user).toArray().length === 1;
  if (known && role !== "owner" && !hasOtherOwner(sql, user))
    return refuse("conflict", "the last owner stays one");
  const { count } = sql.exec<{ count: number }>("SELECT count(*) AS count FROM members").one();
  if (!known && !(count < MAX_MEMBERS)) return refuse("quota-exceeded", "too many members");
  sql.exec(
    "INSERT INTO members (user, role, name, since) VALUES (?, ?, ?, ?) ON CONFLICT (user) DO UPDATE SET role = excluded.role",
    ...[user, role, name, now],
  );
  const account = sql.exec<{ name: string }>("SELECT name FROM account").one();
  intend(sql, `left/${user}`, {
    to: "principal",
    joined: user,
    name: account.name,
    created: now,
  } satisfies Join);
  // What the datastore has heard of the member may be another role.
  intend(sql, `left/${user}`, { to: "datastore", left: user, requestId: crypto.randomUUID() } satisfies End);
  return ok(null);
}
