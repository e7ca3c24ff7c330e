/** Who has which role in the tenant and who is in which group: the tenant's object is the authority, and tells each principal's. */

import type { TenantRole } from "#protocol/roles.ts";
import { intend } from "../outbox.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { Appointment } from "./standing.ts";

/** A part of the migrations of the tenant's object. Times are seconds since 1970, `by` the admin's user id. */
export const ROLES_TABLES = `
  CREATE TABLE roles (
    user TEXT NOT NULL, role TEXT NOT NULL, since INTEGER NOT NULL, by TEXT NOT NULL, PRIMARY KEY (user, role)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE group_members (
    name TEXT NOT NULL, user TEXT NOT NULL, since INTEGER NOT NULL, by TEXT NOT NULL, PRIMARY KEY (name, user)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX groups_of ON group_members (user);
`;

/** What one admin asks for. */
export type Appointing = { user: string } & (
  | { kind: "role"; value: TenantRole; holds: boolean }
  | { kind: "group"; value: string; holds: boolean }
);

/** All roles are read at once; a person's groups stand in each answer about them. */
const MAX_ROLES = 1000;
const MAX_GROUPS = 256;
const MAX_GROUPS_OF_USER = 64;
export const PAGE = 100;

export type RoleRow = { user: string; role: TenantRole; since: number };
export type GroupRow = { group: string; members: number };
export type GroupMemberRow = { user: string; since: number };

export function hasRole(sql: SqlStorage, user: string, role: TenantRole): boolean {
  return sql.exec("SELECT 1 FROM roles WHERE user = ? AND role = ?", user, role).toArray().length === 1;
}

/** Inside `authorize()`. What is so already changes nothing, and is told again. */
export function appoint(
  sql: SqlStorage,
  { user, kind, value, holds }: Appointing,
  { by, now }: { by: string; now: number },
): Decision<null> {
  const table = kind === "role" ? "roles" : "group_members";
  const column = kind === "role" ? "role" : "name";
  if (!holds) sql.exec(`DELETE FROM ${table} WHERE user = ? AND ${column} = ?`, user, value);
  else {
    const full = kind === "role" ? rolesAreFull(sql) : groupsAreFull(sql, user, value);
    if (full !== null) return refuse("quota-exceeded", full);
    sql.exec(
      `INSERT INTO ${table} (user, ${column}, since, by) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      ...[user, value, now, by],
    );
  }
  intend(sql, `principal/${user}`, { kind, value, holds } satisfies Appointment);
  return ok(null);
}

function rolesAreFull(sql: SqlStorage): string | null {
  return count(sql, "SELECT count(*) AS count FROM roles") < MAX_ROLES ? null : "too many roles";
}

function groupsAreFull(sql: SqlStorage, user: string, name: string): string | null {
  if (sql.exec("SELECT 1 FROM group_members WHERE name = ? LIMIT 1", name).toArray().length === 0) {
    const groups = count(sql, "SELECT count(DISTINCT name) AS count FROM group_members");
    if (!(groups < MAX_GROUPS)) return "too many groups";
  }
  const own = count(
    sql,
    "SELECT count(*) AS count FROM group_members WHERE user = ? AND name <> ?",
    user,
    name,
  );
  return own < MAX_GROUPS_OF_USER ? null : "too many groups of one user";
}

function count(sql: SqlStorage, query: string, ...bindings: string[]): number {
  return sql.exec<{ count: number }>(query, ...bindings).one().count;
}

export function listRoles(sql: SqlStorage): RoleRow[] {
  return sql.exec<RoleRow>("SELECT user, role, since FROM roles ORDER BY role, since, user").toArray();
}

export function listGroups(sql: SqlStorage): GroupRow[] {
  return sql
    .exec<GroupRow>(
      'SELECT name AS "group", count(*) AS members FROM group_members GROUP BY name ORDER BY name',
    )
    .toArray();
}

/** A page of a group, in the order of user ids; `after` is the last of the page before. */
export function listGroup(sql: SqlStorage, name: string, after: string): GroupMemberRow[] {
  return sql
    .exec<GroupMemberRow>(
      "SELECT user, since FROM group_members WHERE name = ? AND user > ? ORDER BY user LIMIT ?",
      ...[name, after, PAGE],
    )
    .toArray();
}
