import { configuredBound } from "../../bound.ts";
import { type Decision, ok, refuseForNow } from "../../result.ts";

/** Operations in a minute of one account, or of one principal with the tenant's own keys, unless configured otherwise. */
const DEFAULT_PER_MINUTE = 6000;
const MINUTE = 60;
/** Sums of fractions of a minute are not exact. Seconds. */
const ROUNDING = 0.001;

/**
 * Bounds operations in the HSM: each costs it a batch. Kept in memory as one number (the generic cell rate algorithm, ITU-T
 * I.371 §A); an object that has been idle for so long that it was evicted owes nothing.
 */
export class OperationPace {
  readonly #perMinute: number;
  #until = 0;

  /** `configured` is the text of COFFER_OPERATIONS_PER_MINUTE. Throws for one that is mistyped. */
  constructor(configured?: string) {
    this.#perMinute = configuredBound("COFFER_OPERATIONS_PER_MINUTE", configured, DEFAULT_PER_MINUTE);
  }

  /** Takes a turn, or refuses until there is one. `now` in seconds, with fractions. */
  take(now: number): Decision<null> {
    // More turns than a minute has were taken by a clock that has been set back since: they keep nobody out.
    const begun = this.#until <= now + MINUTE + ROUNDING ? this.#until : now;
    const until = Math.max(begun, now) + MINUTE / this.#perMinute;
    const wait = until - (now + MINUTE);
    if (wait > ROUNDING) return refuseForNow("too many operations", wait);
    this.#until = until;
    return ok(null);
  }
}
