/**
 * What an isolate keeps of a tenant's object, which is on no hot path: it is read now and then, and a change holds within ten
 * seconds everywhere.
 */

import { within } from "./within.ts";

/** `version` grows with every change. */
export type Versioned = { version: number };

/** An isolate reads again after so long: with what reading may take, a change holds within ten seconds. Milliseconds. */
const FRESH_MS = 9000;
const PATIENCE_MS = 1000;
/** While the tenant's object does not answer, its last word is good for so long; then everything is refused. */
const STALE_MS = 60_000;

/** What an isolate keeps of a tenant: `read` and `asked` are when reading began that ended well, and that began last. */
type Kept<T> = { value?: T; read: number; asked: number };

/** One isolate's copies. Values alone are shared: a promise of one request must not be awaited by another. */
export class KeptByTenant<T extends Versioned> {
  readonly #what: string;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept<T>>();

  /** `what` names it in the log. */
  constructor(what: string, now: () => number = Date.now) {
    this.#what = what;
    this.#now = now;
  }

  /** One request reads; others that come meanwhile go on with what is kept. Throws when nothing recent enough is known. */
  async of(tenant: string, read: () => Promise<T>): Promise<T> {
    const now = this.#now();
    const kept: Kept<T> = this.#kept.get(tenant) ?? {
      read: Number.NEGATIVE_INFINITY,
      asked: Number.NEGATIVE_INFINITY,
    };
    this.#kept.set(tenant, kept);
    const { value } = kept;
    const age = now - kept.read;
    if (value && (age < FRESH_MS || (age < STALE_MS && now - kept.asked < PATIENCE_MS))) return value;
    kept.asked = now;
    try {
      const current = await within(PATIENCE_MS, read(), unanswered);
      if (now > kept.read) kept.read = now;
      if (current.version >= (kept.value?.version ?? 0)) kept.value = current;
      return kept.value ?? current;
    } catch (error) {
      const name = error instanceof Error ? error.name : "unknown";
      console.warn(JSON.stringify({ event: `${this.#what}-unread`, error: name }));
      if (value && age < STALE_MS) return value;
      throw error;
    }
  }
}

function unanswered(): never {
  throw new Error("The tenant's object does not answer");
}
