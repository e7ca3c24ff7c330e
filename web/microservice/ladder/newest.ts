import { CofferError } from "#protocol/error.ts";

/** Names that are remembered; the one that was told of first is forgotten first. */
const MAX_NAMES = 10_000;

/** The newest version of what is current, as far as this instance has seen: nobody takes it back behind that. */
export class Newest {
  readonly #versions = new Map<string, number>();

  /** Throws `key-superseded` for a version before one that was current earlier. */
  advance(name: string, version: number): void {
    if (version < (this.#versions.get(name) ?? 0)) throw new CofferError("key-superseded");
    this.#versions.set(name, version);
    if (this.#versions.size <= MAX_NAMES) return;
    const [first = ""] = this.#versions.keys();
    this.#versions.delete(first);
  }
}
