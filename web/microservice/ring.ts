/** The key ring: keys in use, deleted a set time after their last use (W7), and when their release ends. */
import type { Edk, Load, Receipt } from "#protocol/keys/index.ts";
import type { Wrapping } from "#protocol/policy/index.ts";
import type { PairOfEdk } from "./ladder/document-secret.ts";

/**
 * `receipt`: of a data key that was released to this instance by itself; none of one that the ladder gave. `jws`: the EDK of a key that
 * a request has brought with it (`stateless.ts`).
 */
export type LoadedKey = {
  key: CryptoKey;
  edk: Edk;
  receipt?: Pick<Receipt, "policy" | "exp">;
  /** As it came, still wrapped. */
  load?: Load;
  jws?: string;
  /** Of a data key that is a pair: what wraps a secret for each message, and is the key in its place. */
  pair?: PairOfEdk;
  /** How it came; none of one that the ladder gave. */
  wrapping?: Wrapping;
};

/** When receipt or EDK ends, whichever is first; milliseconds since 1970. */
export function endOf({ edk, receipt }: LoadedKey): number {
  return Math.min(receipt?.exp ?? Infinity, edk.expires ?? Infinity) * 1000;
}

export type RingOptions = {
  /** Milliseconds from the last use to deletion. */
  timeToLive: number;
  /** Most keys held at a time; the one that was not used for longest goes first. Default: 256. */
  capacity?: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once after `delay` milliseconds. */
  schedule(task: () => void, delay: number): void;
  /** Told of each key that is deleted. */
  dropped?(name: string): void;
};

type Entry<K> = { key: K; used: number; expires: number };

/** `K`: a key, and what is known of it. */
export class KeyRing<K> {
  readonly #options: RingOptions;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry<K>>();
  /** When the next timer fires. */
  #due = Infinity;

  constructor(options: RingOptions) {
    this.#options = options;
  }

  /** Keys held now. */
  get size(): number {
    return this.#entries.size;
  }

  /** `expires`: when its release ends, milliseconds since 1970. */
  put(name: string, key: K, expires = Infinity): void {
    this.#touch(name, { key, used: 0, expires });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= (this.#options.capacity ?? 256)) break;
      this.delete(oldest);
    }
    this.#plan();
  }

  /** The key, if it is held; counts as use. A key past its time is not given, even if the timer is late. */
  take(name: string): K | undefined {
    this.#sweep();
    const entry = this.#entries.get(name);
    if (entry) this.#touch(name, entry);
    return entry?.key;
  }

  delete(name: string): void {
    if (this.#entries.delete(name)) this.#options.dropped?.(name);
  }

  /** What is held, and for how long still, milliseconds. Looking is no use. */
  held(): { name: string; key: K; left: number }[] {
    const now = this.#options.now();
    this.#sweep();
    return [...this.#entries].map(([name, entry]) => ({
      name,
      key: entry.key,
      left: this.#end(entry) - now,
    }));
  }

  /** Deletes all keys at once (sign-out, revocation, new enrolment). */
  clear(): void {
    for (const name of this.#entries.keys()) this.delete(name);
  }

  #touch(name: string, entry: Entry<K>): void {
    entry.used = this.#options.now();
    this.#entries.delete(name);
    this.#entries.set(name, entry);
  }

  #end({ used, expires }: Entry<K>): number {
    return Math.min(used + this.#options.timeToLive, expires);
  }

  #sweep(): void {
    const now = this.#options.now();
    for (const [name, entry] of this.#entries) if (!(now < this.#end(entry))) this.delete(name);
  }

  /** Sees to a timer at the first end. A timer cannot be taken back: a later one that still stands does no harm. */
  #plan(): void {
    const due = Math.min(...[...this.#entries.values()].map((entry) => this.#end(entry)));
    if (due >= this.#due) return;
    this.#due = due;
    this.#options.schedule(() => {
      if (this.#due === due) this.#due = Infinity;
      this.#sweep();
      this.#plan();
    }, due - this.#options.now());
  }
}
