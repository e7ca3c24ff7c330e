/** How many requests a name may make: a bucket for each, which fills again by itself. */
export type Pace = {
  /** Requests a second in the long run, and at once. */
  perSecond: number;
  atOnce: number;
};

/** Names that are remembered. Whoever is let in at all has one of few. */
const MAX_NAMES = 1024;

export class Paces {
  readonly #pace: Pace;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** Seconds to wait; 0 when it may go on, and then it counts. `now`: milliseconds, of a clock that never goes back. */
  wait(name: string, now: number): number {
    const { perSecond, atOnce } = this.#pace;
    const bucket = this.#buckets.get(name) ?? { left: atOnce, at: now };
    const left = Math.min(atOnce, bucket.left + ((now - bucket.at) / 1000) * perSecond);
    this.#buckets.delete(name);
    this.#buckets.set(name, { left: left < 1 ? left : left - 1, at: now });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_NAMES) break;
      this.#buckets.delete(oldest);
    }
    return left < 1 ? Math.ceil((1 - left) / perSecond) : 0;
  }
}
