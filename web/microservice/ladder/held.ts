import { KeyRing, type RingOptions } from "../ring.ts";

export type HeldOptions<K> = RingOptions & {
  /** When it goes though it is in use, milliseconds since 1970; asked when it came. Default: never. */
  expires?(key: K): number;
};

/** Keys of one kind, decrypted or not. What is wanted several times at once is made or fetched once. */
export class Held<K> {
  readonly #ring: KeyRing<K>;
  readonly #underWay = new Map<string, Promise<K>>();
  readonly #options: HeldOptions<K>;

  constructor(options: HeldOptions<K>) {
    this.#options = options;
    this.#ring = new KeyRing(options);
  }

  take(name: string): K | undefined {
    return this.#ring.take(name);
  }

  held(): ReturnType<KeyRing<K>["held"]> {
    return this.#ring.held();
  }

  put(name: string, key: K): void {
    this.#ring.put(name, key, this.#options.expires?.(key));
  }

  /** The key of this name, or what `make` gives, which then is held. */
  get(name: string, make: () => Promise<K>): Promise<K> {
    const held = this.take(name);
    if (held) return Promise.resolve(held);
    const other = this.#underWay.get(name);
    if (other) return other;
    const own = make().then(
      (key) => {
        if (this.#ended(name, own)) this.put(name, key);
        return key;
      },
      (error: unknown) => {
        this.#ended(name, own);
        throw error;
      },
    );
    this.#underWay.set(name, own);
    return own;
  }

  /** Nor does what is under way come to stay; the same with `clear`. */
  delete(name: string): void {
    this.#ring.delete(name);
    this.#underWay.delete(name);
  }

  clear(): void {
    this.#ring.clear();
    this.#underWay.clear();
  }

  #ended(name: string, own: Promise<K>): boolean {
    return this.#underWay.get(name) === own && this.#underWay.delete(name);
  }
}
