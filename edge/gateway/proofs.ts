/** DPoP proofs that were seen, and by their number the bound on a user's requests. */

import { CountBySecond } from "../count-by-second.ts";
import { type Decision, ok, refuseForNow, turnAway } from "../result.ts";

export const migrations = [
  `CREATE TABLE proofs (jti TEXT PRIMARY KEY, seen INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX proofs_seen ON proofs (seen);`,
  // They are counted in memory.
  "DROP INDEX proofs_seen",
] as const;

const WINDOW_SECONDS = 10;

/** Of one object, which alone writes them: how many came lately is read once and then counted along. */
export class Proofs {
  readonly #sql: SqlStorage;
  #seen: CountBySecond | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Stores a proof that is used for the first time; one of too many requests leaves nothing behind. */
  use(
    { jti, expires }: { jti: string; expires: number },
    { limit, now }: { limit: number; now: number },
  ): Decision<null> {
    this.#seen ??= this.#read(now);
    const seen = this.#seen;
    // Of the requests of the last ten seconds, the one whose end lets another in.
    const first = seen.within(now) < limit ? undefined : seen.nthLast(limit, now);
    if (first !== undefined) return refuseForNow("rate limit", first + WINDOW_SECONDS - now);
    const fresh = this.#sql
      .exec("INSERT INTO proofs VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING jti", jti, now, expires)
      .toArray();
    if (fresh.length === 0) return turnAway("invalid-proof", "DPoP proof replayed");
    seen.add(now, 1);
    return ok(null);
  }

  #read(now: number): CountBySecond {
    const counts = new CountBySecond(WINDOW_SECONDS);
    const rows = this.#sql.exec<{ seen: number; count: number }>(
      "SELECT seen, count(*) AS count FROM proofs WHERE seen > ? GROUP BY seen",
      now - WINDOW_SECONDS,
    );
    for (const { seen, count } of rows) counts.add(seen, count);
    return counts;
  }
}
