/** Which rows of a list are selected, by their keys. */

export class Selection {
  readonly #selected = new Set<string>();
  readonly #changed: () => void;
  /** Where a range begins: the last that was selected alone. */
  #anchor: string | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get size(): number {
    return this.#selected.size;
  }

  has(key: string): boolean {
    return this.#selected.has(key);
  }

  /** Selects a row, or no more; with `keys`, the rows in their order, all from the last one to it. */
  toggle(key: string, keys?: readonly string[]): void {
    const from = keys && this.#anchor !== undefined ? keys.indexOf(this.#anchor) : -1;
    if (keys && from >= 0) {
      for (const each of between(keys, from, keys.indexOf(key))) this.#selected.add(each);
    } else {
      if (!this.#selected.delete(key)) this.#selected.add(key);
      this.#anchor = key;
    }
    this.#changed();
  }

  /** From one row to another, both of them too. */
  extend(keys: readonly string[], from: number, to: number): void {
    for (const each of between(keys, from, to)) this.#selected.add(each);
    this.#changed();
  }

  all(keys: readonly string[]): void {
    for (const key of keys) this.#selected.add(key);
    this.#changed();
  }

  clear(): void {
    if (this.size === 0) return;
    this.#selected.clear();
    this.#anchor = undefined;
    this.#changed();
  }

  /** Those that are there no more are selected no more. */
  keep<T>(items: readonly T[], keyOf: (item: T) => string): void {
    if (this.size === 0) return;
    const keys = new Set(items.map(keyOf));
    const before = this.size;
    for (const key of this.#selected) if (!keys.has(key)) this.#selected.delete(key);
    if (this.size !== before) this.#changed();
  }
}

function between(keys: readonly string[], from: number, to: number): readonly string[] {
  return keys.slice(Math.min(from, to), Math.max(from, to) + 1);
}
