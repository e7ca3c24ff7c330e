import type { TokenKey } from "../iam/types.ts";
import type { Result } from "../result.ts";
import { unwrap } from "./problem.ts";

/** How long a key is good without asking; one that was taken back is refused no later. */
const FRESH_MS = 60_000;
/** Between two questions for keys that are not known: anyone can make names of keys up. */
const PAUSE_MS = 1000;
/** A question that is under way for longer is not waited for: its request may have been cancelled. */
const PATIENCE_MS = 2000;
const STEP_MS = 20;

export type Clock = { now(): number; wait(milliseconds: number): Promise<void> };

const byTheClock: Clock = {
  now: Date.now,
  wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/**
 * The keys that verify access tokens, by `kid`, so that the IAM is asked once a minute and not at every request. A key that
 * is not known makes us ask, at most once a second; so a new one is known from its first token on, or a second later where
 * someone has just made a name up: the custodian, whose token is refused, refreshes it and asks again.
 */
export class TokenKeys {
  readonly #clock: Clock;
  #kept = new Map<string, TokenKey>();
  #read = Number.NEGATIVE_INFINITY;
  #asked = Number.NEGATIVE_INFINITY;
  #asking = false;

  constructor(clock: Clock = byTheClock) {
    this.#clock = clock;
  }

  /** The key of this `kid`, if there is one. Throws `Refused` when the IAM cannot say. */
  async find(kid: string, ask: () => Promise<Result<TokenKey[]>>): Promise<TokenKey | undefined> {
    for (;;) {
      const now = this.#clock.now();
      const isFresh = now < this.#read + FRESH_MS;
      const key = this.#kept.get(kid);
      if (isFresh && key) return key;
      // A promise of another request must not be awaited here, so its end is looked for.
      if (this.#asking && now < this.#asked + PATIENCE_MS) {
        await this.#clock.wait(STEP_MS);
        continue;
      }
      if (isFresh && now < this.#asked + PAUSE_MS) return undefined;
      await this.#refresh(ask, now);
      return this.#kept.get(kid);
    }
  }

  async #refresh(ask: () => Promise<Result<TokenKey[]>>, now: number): Promise<void> {
    this.#asked = now;
    this.#asking = true;
    try {
      const keys = unwrap(await ask());
      this.#kept = new Map(keys.map((key) => [key.kid, key]));
      this.#read = now;
    } finally {
      this.#asking = false;
    }
  }
}
