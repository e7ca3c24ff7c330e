/** The key ring: data keys in use, deleted a set time after their last use (W7). */
import type { Edk, Receipt } from "#protocol/keys/index.ts";

export type LoadedKey = { key: CryptoKey; edk: Edk; receipt: Receipt };

export type RingOptions = {
  /** Milliseconds from the last use to deletion. */
  timeToLive: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once after `delay` milliseconds. */
  schedule(task: () => void, delay: number): void;
};

type Entry = LoadedKey & { used: number };

export class KeyRing {
  readonly #options: RingOptions;
  readonly #entries = new Map<string, Entry>();
  #scheduled = false;

  constructor(options: RingOptions) {
    this.#options = options;
  }

  /** Keys held now. */
  get size(): number {
    return this.#entries.size;
  }

  put(edkDigest: string, key: LoadedKey): void {
    this.#entries.set(edkDigest, { ...key, used: this.#options.now() });
    this.#plan();
  }

  /** The key, if it is held; counts as use. A key past its time is not given, even if the timer is late. */
  take(edkDigest: string): LoadedKey | undefined {
    this.#sweep();
    const entry = this.#entries.get(edkDigest);
    if (entry) entry.used = this.#options.now();
    return entry;
  }

  /** Deletes all keys at once (sign-out, revocation, new enrolment). */
  clear(): void {
    this.#entries.clear();
  }

  #sweep(): void {
    const oldest = this.#options.now() - this.#options.timeToLive;
    for (const [digest, entry] of this.#entries) if (entry.used <= oldest) this.#entries.delete(digest);
  }

  #plan(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.schedule(() => {
      this.#scheduled = false;
      this.#sweep();
      if (this.#entries.size > 0) this.#plan();
    }, this.#options.timeToLive);
  }
}
