import { configuredBound } from "../bound.ts";
import { CountBySecond } from "../count-by-second.ts";
import { type Decision, ok, refuseForNow } from "../result.ts";

/** Data keys that one account may have made in an hour, unless configured otherwise: several a second, all the time. */
const DEFAULT_PER_HOUR = 20_000;
const HOUR = 3600;
/** Seconds for which a second's keys are read again each time: what is under way longer, its reservation tells. */
const SETTLED = 30;

/**
 * Bounds the data keys of an account: each costs the HSM work and the registry a row for good. Meant to be met by no
 * honest user. Keys under way count too, so that parallel requests cannot get past it.
 */
export class DataKeyQuota {
  readonly #perHour: number;
  readonly #making = new Map<string, { count: number; since: number }[]>();
  /** Of the hour until that second. */
  readonly #made = new Map<string, { counts: CountBySecond; until: number }>();

  /** `configured` is the text of COFFER_DATA_KEYS_PER_HOUR. Throws for one that is mistyped. */
  constructor(configured?: string) {
    this.#perHour = configuredBound("COFFER_DATA_KEYS_PER_HOUR", configured, DEFAULT_PER_HOUR);
  }

  /**
   * Reserves `count` keys, or refuses. A caller that was allowed to calls `done` in the end, with the same moment. `now` in seconds, no later
   * than what the keys will have as `created`.
   */
  reserve(sql: SqlStorage, account: string, count: number, now: number): Decision<undefined> {
    const making = this.#making.get(account) ?? [];
    const made = this.#count(sql, account, now);
    const underWay = making.reduce((sum, each) => sum + each.count, 0);
    if (!(made + underWay + count <= this.#perHour))
      return refuseForNow("quota of data keys", this.#wait(sql, account, now));
    this.#making.set(account, [...making, { count, since: now }]);
    return ok(undefined);
  }

  /** Those that were made in the hour: each second's are read once no more can come to it, since there may be twenty thousand. */
  #count(sql: SqlStorage, account: string, now: number): number {
    let known = this.#made.get(account);
    // Its clock was set back: what is made now would have been read.
    if (known === undefined || now < known.until)
      known = { counts: new CountBySecond(HOUR), until: now - HOUR };
    this.#made.set(account, known);
    const settled = Math.min(
      now - SETTLED,
      ...(this.#making.get(account) ?? []).map(({ since }) => since - 1),
    );
    const rows = sql.exec<{ created: number; made: number }>(
      "SELECT created, count(*) AS made FROM data_keys WHERE account = ? AND created > ? GROUP BY created",
      account,
      known.until,
    );
    let last = 0;
    for (const { created, made } of rows)
      if (created > settled) last += made;
      else known.counts.add(created, made);
    known.until = Math.max(known.until, settled);
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

  /** The keys of the reservation of that moment are in the registry, or were not made. */
  done(account: string, count: number, since: number): void {
    const making = this.#making.get(account) ?? [];
    const at = making.findIndex((each) => each.count === count && each.since === since);
    if (at >= 0) making.splice(at, 1);
    if (making.length === 0) this.#making.delete(account);
  }
}
