import { configuredBound } from "../bound.ts";
import { type Decision, ok, refuseForNow } from "../result.ts";

/** Data keys that one account may have made in an hour, unless configured otherwise: several a second, all the time. */
const DEFAULT_PER_HOUR = 20_000;
const HOUR = 3600;

/**
 * Bounds the data keys of an account: each costs the HSM work and the registry a row for good. Meant to be met by no
 * honest user. Keys under way count too, so that parallel requests cannot get past it.
 */
export class DataKeyQuota {
  readonly #perHour: number;
  readonly #making = new Map<string, number>();

  /** `configured` is the text of COFFER_DATA_KEYS_PER_HOUR. Throws for one that is mistyped. */
  constructor(configured?: string) {
    this.#perHour = configuredBound("COFFER_DATA_KEYS_PER_HOUR", configured, DEFAULT_PER_HOUR);
  }

  /** Reserves `count` keys, or refuses. A caller that was allowed to calls `done` in the end. `now` in seconds. */
  reserve(sql: SqlStorage, account: string, count: number, now: number): Decision<undefined> {
    const { made } = sql
      .exec<{ made: number }>(
        "SELECT count(*) AS made FROM data_keys WHERE account = ? AND created > ?",
        account,
        now - HOUR,
      )
      .one();
    const making = this.#making.get(account) ?? 0;
    if (!(made + making + count <= this.#perHour))
      return refuseForNow("quota of data keys", this.#wait(sql, account, now));
    this.#making.set(account, making + count);
    return ok(undefined);
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
