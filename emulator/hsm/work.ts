import type { ManagedObject } from "./managed-object.ts";
import type { ObjectStore } from "./store.ts";
import { entryKey, type IndexEntry, indexEntries } from "./store-index.ts";

/**
 * What one batch item (or one batch that can be undone) reads and changes. Changes are seen by this work at once, by
 * the store when it commits, and by nobody if it is dropped. Objects that were read are copies: `put` what changed.
 */
export class Work {
  #store: ObjectStore;
  #changed = new Map<string, ManagedObject>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  get(uid: string): ManagedObject | undefined {
    const changed = this.#changed.get(uid);
    return changed ? structuredClone(changed) : this.#store.read(uid);
  }

  put(object: ManagedObject): void {
    this.#changed.set(object.uid, object);
  }

  /** Identifiers of the objects with all these index entries, and with all of one of `anyOf`, in order of creation. */
  find(entries: readonly IndexEntry[], anyOf?: readonly (readonly IndexEntry[])[]): string[] {
    const stored = this.#store.find(entries, anyOf);
    if (this.#changed.size === 0) return stored;
    const found = stored.filter((uid) => !this.#changed.has(uid));
    for (const object of this.#changed.values()) {
      const keys = new Set(indexEntries(object).map(entryKey));
      const hasAll = (wanted: readonly IndexEntry[]) => wanted.every((entry) => keys.has(entryKey(entry)));
      if (hasAll(entries) && (!anyOf || anyOf.some(hasAll))) found.push(object.uid);
    }
    return found;
  }

  /** Written when it returns, durable when the store is synced. */
  commit(): void {
    if (this.#changed.size === 0) return;
    this.#store.commit(this.#changed.values());
    this.#changed.clear();
  }
}
