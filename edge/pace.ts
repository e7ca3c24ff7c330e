/**
 * How often a minute one user may do what leaves a row or other state, where nothing else bounds it. Kept as one number (the
 * generic cell rate algorithm, ITU-T I.371 §A): a client over the limit waits for its next turn, not for the end of a minute.
 */

import { type Decision, ok, refuseForNow } from "./result.ts";

/** A migration of the domains that need it. `until`: when all turns that were taken are over, seconds since 1970. */
export const PACES = `
  CREATE TABLE paces (what TEXT NOT NULL, user TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (what, user)) STRICT, WITHOUT ROWID;
  CREATE INDEX paces_until ON paces (until);
`;

const MINUTE = 60;
/** Sums of fractions of a minute are not exact. Seconds. */
const ROUNDING = 0.001;

/** Takes a turn, or refuses until there is one. Call it inside `authorize()`, before anything is used up. `now` in seconds. */
export function takeTurn(
  sql: SqlStorage,
  { what, user }: { what: string; user: string },
  perMinute: number,
  now: number,
): Decision<null> {
  sql.exec("DELETE FROM paces WHERE until <= ?", now);
  const [taken] = sql
    .exec<{ until: number }>("SELECT until FROM paces WHERE what = ? AND user = ?", what, user)
    .toArray();
  // More turns than a minute has were taken by a clock that has been set back since: they keep nobody out.
  const begun = taken && taken.until <= now + MINUTE + ROUNDING ? taken.until : now;
  const until = Math.max(begun, now) + MINUTE / perMinute;
  const wait = until - (now + MINUTE);
  if (!(wait <= ROUNDING)) return refuseForNow(`too many of ${what}`, wait);
  sql.exec("INSERT OR REPLACE INTO paces VALUES (?, ?, ?)", what, user, until);
  return ok(null);
}
