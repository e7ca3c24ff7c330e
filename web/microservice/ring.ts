/** The key ring: data keys in use, deleted a set time after their last use (W7), and when their release ends. */
import type { Edk, Receipt, Way } from "#protocol/keys/index.ts";

/** `way`: how it came. */
export type LoadedKey = { way: Way; key: CryptoKey; edk: Edk; receipt: Receipt };

export type RingOptions = {
  /** Milliseconds from the last use to deletion. */
  timeToLive: number;
  /** Most keys held at a time; the one that was not used for longest goes first. Default: 256. */
  capacity?: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once after `delay` milliseconds. */
  schedule(task: () => void, delay: number): void;
};

type Entry = {
  loaded: LoadedKey;
  used: number;
  /** When receipt or EDK ends, whichever is first; milliseconds since 1970. */
  expires: number;
};

export class KeyRing {
  readonly #options: RingOptions;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  /** When the next timer fires. */
  #due = Infinity;

  constructor(options: RingOptions) {
    this.#options = options;
  }

  /** Keys held now. */
  get size(): number {
    return this.#entries.size;
  }

  put(edkDigest: string, loaded: LoadedKey): void {
    const { edk, receipt } = loaded;
    const expires = Math.min(receipt.exp, edk.expires ?? Infinity) * 1000;
    this.#touch(edkDigest, { loaded, used: 0, expires });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= (this.#options.capacity ?? 256)) break;
      this.#entries.delete(oldest);
    }
    this.#plan();
  }

  /** The key, if it is held; counts as use. A key past its time is not given, even if the timer is late. */
  take(edkDigest: string): LoadedKey | undefined {
    this.#sweep();
    const entry = this.#entries.get(edkDigest);
    if (entry) this.#touch(edkDigest, entry);
    return entry?.loaded;
  }

  /** Deletes all keys at once (sign-out, revocation, new enrolment). */
  clear(): void {
    this.#entries.clear();
  }

  #touch(edkDigest: string, entry: Entry): void {
    entry.used = this.#options.now();
    this.#entries.delete(edkDigest);
    this.#entries.set(edkDigest, entry);
  }

  #end({ used, expires }: Entry): number {
    return Math.min(used + this.#options.timeToLive, expires);
  }

  #sweep(): void {
    const now = this.#options.now();
    for (const [digest, entry] of this.#entries) if (!(now < this.#end(entry))) this.#entries.delete(digest);
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
