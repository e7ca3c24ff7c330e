/** DPoP proofs that were seen, and by their number the bound on a user's requests. */

import { type Decision, ok, refuseForNow, turnAway } from "../result.ts";

export const migrations = [
  `CREATE TABLE proofs (jti TEXT PRIMARY KEY, seen INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX proofs_seen ON proofs (seen);`,
] as const;

const WINDOW_SECONDS = 10;

/** Stores a proof that is used for the first time; one of too many requests leaves nothing behind. */
export function useProof(
  sql: SqlStorage,
  { jti, expires }: { jti: string; expires: number },
  { limit, now }: { limit: number; now: number },
): Decision<null> {
  // Of the requests of the last ten seconds, the one whose end lets another in.
  const [first] = sql
    .exec<{ seen: number }>(
      // What was seen later than now was seen before the clock was set back.
      "SELECT seen FROM proofs WHERE seen > ? AND seen <= ? ORDER BY seen DESC LIMIT 1 OFFSET ?",
      now - WINDOW_SECONDS,
      now,
      limit - 1,
    )
    .toArray();
  if (first !== undefined) return refuseForNow("rate limit", first.seen + WINDOW_SECONDS - now);
  const fresh = sql
    .exec("INSERT INTO proofs VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING jti", jti, now, expires)
    .toArray();
  return fresh.length === 1 ? ok(null) : turnAway("invalid-proof", "DPoP proof replayed");
}
