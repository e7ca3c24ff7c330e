/**
 * A principal's roles and groups, in its own object, so that they are known wherever its sign-in is looked up. By administration
 * they are a copy of what the tenant's object has; what the provider says is of the last sign-in.
 */

import type { Person } from "../person.ts";
import { ok, type Result } from "../result.ts";

/** A part of the migrations of a principal's object. */
export const STANDING_TABLE = `
  -- kind: a role or group by administration, a group by the provider, the digest of an address that names an admin.
  CREATE TABLE standing (
    kind TEXT NOT NULL CHECK (kind IN ('role', 'group', 'claim', 'admin')), value TEXT NOT NULL, PRIMARY KEY (kind, value)
  ) STRICT, WITHOUT ROWID;
`;

/** What the provider has said at a sign-in. `admin`: SHA-256 of an address by which the deployment names an admin. */
export type Claims = { groups: string[]; admin: string | null };

/** What the tenant's object tells that of a principal until it was heard. The order is kept; heard again, it changes nothing. */
export type Appointment = { kind: "role" | "group"; value: string; holds: boolean };

/** What is told holds until the next sign-in. Inside `authorize()`. */
export function keepClaims(sql: SqlStorage, { groups, admin }: Claims): void {
  sql.exec("DELETE FROM standing WHERE kind IN ('claim', 'admin')");
  for (const group of groups) sql.exec("INSERT INTO standing VALUES ('claim', ?)", group);
  if (admin !== null) sql.exec("INSERT INTO standing VALUES ('admin', ?)", admin);
}

export function keepAppointments(sql: SqlStorage, appointments: Appointment[]): Result<null> {
  for (const { kind, value, holds } of appointments)
    if (holds) sql.exec("INSERT INTO standing VALUES (?, ?) ON CONFLICT DO NOTHING", kind, value);
    else sql.exec("DELETE FROM standing WHERE kind = ? AND value = ?", kind, value);
  return ok(null);
}

/** `admin` is what names an admin at the deployment, if it still does. */
export type KeptStanding = Person & { admin: string | null };

export function standingOf(sql: SqlStorage): KeptStanding {
  const rows = sql.exec<{ kind: string; value: string }>("SELECT kind, value FROM standing").toArray();
  const of = (...kinds: string[]) =>
    rows.filter(({ kind }) => kinds.includes(kind)).map(({ value }) => value);
  return {
    roles: of("role"),
    groups: [...new Set(of("group", "claim"))].sort(),
    admin: of("admin")[0] ?? null,
  };
}
