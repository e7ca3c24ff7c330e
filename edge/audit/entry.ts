import type { AuditRow } from "./row.ts";

/**
 * The entry's text as it is hashed: RFC 8785 for what occurs here (strings and safe integers): members sorted by name,
 * no white space.
 */
export function canonicalEntry(
  sequence: number,
  from: { source: string; epoch: string },
  row: AuditRow,
): string {
  const { outbox, ...rest } = row;
  const members = Object.entries({ ...rest, ...from, sequence, outbox }).filter(
    ([, value]) => value !== undefined,
  );
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(members));
}
