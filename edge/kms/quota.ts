import { configuredBound } from "../bound.ts";
import { CountBySecond } from "../count-by-second.ts";
import { type Decision, ok, refuseForNow } from "../result.ts";

/** Data keys that one account may have made in an hour, unless configured otherwise: several a second, all the time. */
const DEFAULT_PER_HOUR = 20_000;
const HOUR = 3600;
/** A key is in the registry by then, once it has begun to be made: the HSM is not waited for longer. Seconds. */
const MADE_WITHIN = 30;

/**
 * Bounds the data keys of an account: each costs the HSM work and the registry a row for good. Meant to be met by no
 * honest user. Keys under way count too, so that parallel requests cannot get past it.
 */
export class DataKeyQuota {
  readonly #perHour: number;
  readonly #making = new Map<string, number>();
  /** Of the hour until that second. */
  readonly #made = new Map<string, { counts: CountBySecond; until: number }>();

  /** `configured` is the text of COFFER_DATA_KEYS_PER_HOUR. Throws for one that is mistyped. */
  constructor(configured?: string) {
    this.#perHour = configuredBound("COFFER_DATA_KEYS_PER_HOUR", configured, DEFAULT_PER_HOUR);
  }

  /** Reserves `count` keys, or refuses. A caller that was allowed to calls `done` in the end. `now` in seconds. */
  reserve(sql: SqlStorage, account: string, count: number, now: number): Decision<undefined> {
    const made = this.#count(sql, account, now);
    const making = this.#making.get(account) ?? 0;
    if (!(made + making + count <= this.#perHour))
      return refuseForNow("quota of data keys", this.#wait(sql, account, now));
    this.#making.set(account, making + count);
    return ok(undefined);
  }

  /** Those that were made in the hour: each second's are read once it is over for good, since there may be twenty thousand. */
  #count(sql: SqlStorage, account: string, now: number): number {
    const known = this.#made.get(account) ?? { counts: new CountBySecond(HOUR), until: now - HOUR };
    this.#made.set(account, known);
    const rows = sql.exec<{ created: number; made: number }>(
      "SELECT created, count(*) AS made FROM data_keys WHERE account = ? AND created > ? GROUP BY created",
      account,
      known.until,
    );
    let last = 0;
    for (const { created, made } of rows)
      if (created > now - MADE_WITHIN) last += made;
      else known.counts.add(created, made);
    known.until = Math.max(known.until, now - MADE_WITHIN);
    return known.counts.within(now) + last;
  }

  /** Seconds until the oldest key of the hour is out of it. */
  #wait(sql: SqlStorage, account: string, now: number): number {
    const { oldest } = sql
      .exec<{ oldest: number | null }>(
        "SELECT min(created) AS oldest FROM data_keys WHERE account = ? AND created > ?",
        account,
        now - HOUR,
      )
      .one();
    return (oldest ?? now) + HOUR - now;
  }

  /** The keys of a reservation are in the registry, or were not made. */
  done(account: string, count: number): void {
    const left = (this.#making.get(account) ?? 0) - count;
    if (left > 0) this.#making.set(account, left);
    else this.#making.delete(account);
  }
}
