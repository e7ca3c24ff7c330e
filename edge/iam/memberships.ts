import type { Membership } from "./earlier.ts";

/** Part of a user's object: the accounts that this principal may act for, a copy of what each account's own object says. */

export type Account = { id: string; name: string };

/** Notes one more, behind those that are there. Noted again, nothing changes. */
export function noteMembership(sql: SqlStorage, { account, name, created }: Membership): void {
  sql.exec(
    `INSERT INTO memberships (account, name, created, place)
     SELECT ?, ?, ?, 1 + coalesce(max(place), 0) FROM memberships WHERE true ON CONFLICT DO NOTHING`,
    ...[account, name, created],
  );
}

/**
 * The accounts that this principal may act for, as its apps are told them: the one that it began with first, which an app takes
 * where nobody chooses, and those that came later in their order, however old they are themselves.
 */
export function accountsOf(sql: SqlStorage): Account[] {
  return [
    ...sql.exec<Account>("SELECT account AS id, name FROM memberships ORDER BY place, created, account"),
  ];
}
