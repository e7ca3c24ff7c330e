/**
 * What the KMS keeps of Enc(data) and Enc(master) in an object's memory (W3, W8): encrypted keys alone, gone with the object. The
 * HSM is asked at a miss, by one request however many wait for it, and now and then whether what is kept is still so.
 */

/** A key as it is kept: `mark` changes with it at the HSM, as its bytes may do without (each wrapping to a recipient is another). */
export type Kept<V> = { value: V; mark: string };

/** From the HSM; several, where what was asked for comes with its neighbours (prefetch). Throws what the HSM throws. */
export type Fetch<V> = () => Promise<Map<string, Kept<V>>>;

/** The mark that a key has at the HSM now, null for what is gone there. Throws when the HSM cannot say. */
export type Mark = (name: string) => Promise<string | null>;

/** How often each happened since the object is there. `stale`: changed or gone at the HSM; `evicted`: its time was over. */
export type Counts = { hit: number; miss: number; stale: number; evicted: number };

/** Milliseconds. */
export type Times = {
  /** A key is kept so long after it was fetched, whether or not the HSM answers. */
  keep: number;
  /** It is looked after so long after it was looked after last. */
  poll: number;
};

type Entry<V> = Kept<V> & { fetched: number; checked: number };

/** Keys that one object keeps: those of an account, with their earlier versions. */
const CAPACITY = 256;

export class KeyCache<V> {
  readonly counts: Counts = { hit: 0, miss: 0, stale: 0, evicted: 0 };
  readonly #mark: Mark;
  readonly #times: Times;
  readonly #now: () => number;
  readonly #kept = new Map<string, Entry<V>>();
  readonly #fetching = new Map<string, Promise<V | null>>();
  /** Names this memory, since when it is there (seconds since 1970): counts begin again with the next one, at an idle object's first miss. */
  readonly #life: { memory: string; since: number };
  /** What was told last; nothing of none. */
  #told: string;
  /** What is under way, with the names that were changed meanwhile: what was fetched before a change is not kept after it. */
  readonly #flights = new Set<{ changed: Set<string>; all: boolean }>();

  constructor(mark: Mark, times: Times, now: () => number = Date.now) {
    this.#mark = mark;
    this.#times = times;
    this.#now = now;
    this.#life = { memory: crypto.randomUUID(), since: Math.floor(now() / 1000) };
    this.#told = this.#line();
  }

  /** The key, from memory or the HSM; null where the HSM has none of that name. Throws what the HSM throws, at a miss. */
  async get(name: string, fetch: Fetch<V>): Promise<V | null> {
    const entry = this.#kept.get(name);
    if (entry !== undefined && (await this.#isGood(name, entry))) {
      this.counts.hit++;
      return entry.value;
    }
    this.counts.miss++;
    return this.#fetching.get(name) ?? this.#begin(name, fetch);
  }

  /** Into the log, if there was anything since it was told last. Numbers alone: whose they are is in the audit log. */
  tell(): void {
    const told = this.#line();
    if (told === this.#told) return;
    this.#told = told;
    console.info(told);
  }

  #line(): string {
    return JSON.stringify({ event: "key-cache", ...this.#life, ...this.counts });
  }

  /** What is kept, without asking anybody. */
  peek(name: string): V | undefined {
    return this.#kept.get(name)?.value;
  }

  /** Names of what is kept, and for how many milliseconds still at the most. Nobody is asked, and it counts as no use. */
  left(): { name: string; left: number }[] {
    const now = this.#now();
    return [...this.#kept]
      .map(([name, { fetched }]) => ({ name, left: fetched + this.#times.keep - now }))
      .filter(({ left }) => left > 0);
  }

  /** The key was changed or deleted here: it is fetched again, or is gone. */
  drop(name: string): void {
    for (const { changed } of this.#flights) changed.add(name);
    this.#kept.delete(name);
    this.#fetching.delete(name);
  }

  clear(): void {
    for (const flight of this.#flights) flight.all = true;
    this.#kept.clear();
    this.#fetching.clear();
  }

  async #isGood(name: string, entry: Entry<V>): Promise<boolean> {
    const now = this.#now();
    if (!(now < entry.fetched + this.#times.keep)) {
      this.counts.evicted++;
      this.drop(name);
      return false;
    }
    if (now < entry.checked + this.#times.poll) return true;
    // One looks; others go on with what is kept meanwhile.
    entry.checked = now;
    const mark = await this.#mark(name).catch(() => undefined);
    // The HSM is away: what is kept is good until its time is over.
    if (mark === undefined) return true;
    if (mark === entry.mark) return true;
    this.counts.stale++;
    this.drop(name);
    return false;
  }

  #begin(name: string, fetch: Fetch<V>): Promise<V | null> {
    const fetching = this.#fetch(name, fetch).finally(() => {
      // Whatever was changed meanwhile, an answer is nobody's who asks after it; a later request may have taken its place.
      if (this.#fetching.get(name) === fetching) this.#fetching.delete(name);
    });
    this.#fetching.set(name, fetching);
    return fetching;
  }

  async #fetch(name: string, fetch: Fetch<V>): Promise<V | null> {
    const flight = { changed: new Set<string>(), all: false };
    this.#flights.add(flight);
    try {
      const fetched = await fetch();
      if (!flight.all)
        for (const [each, kept] of fetched) if (!flight.changed.has(each)) this.#keep(each, kept);
      return fetched.get(name)?.value ?? null;
    } finally {
      this.#flights.delete(flight);
    }
  }

  #keep(name: string, kept: Kept<V>): void {
    const now = this.#now();
    this.#kept.delete(name);
    this.#kept.set(name, { ...kept, fetched: now, checked: now });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= CAPACITY) break;
      this.#kept.delete(oldest);
      this.counts.evicted++;
    }
  }
}
