import type { ManagedObject } from "./managed-object.ts";
import type { ObjectStore } from "./store.ts";
import { entryKey, type IndexEntry, indexEntries } from "./store-index.ts";

/** Another request changed an object between its reading and the commit: nothing was written. */
export class Conflict extends Error {
  override readonly name = "Conflict";
}

/**
 * What one batch item (or one batch that can be undone) reads and changes. Changes are seen by this work at once, by
 * the store when it commits, and by nobody if it is dropped. Objects from `get` are copies: `put` what changed.
 */
export class Work {
  #store: ObjectStore;
  #changed = new Map<string, ManagedObject>();
  /** Of what was read first, its state then. */
  #versions = new Map<string, Uint8Array | undefined>();
  #begun: number;

  constructor(store: ObjectStore) {
    this.#store = store;
    this.#begun = store.commits;
  }

  get(uid: string): ManagedObject | undefined {
    const changed = this.#changed.get(uid);
    if (changed) return structuredClone(changed);
    const stored = this.#store.load(uid);
    if (!this.#versions.has(uid)) this.#versions.set(uid, stored?.version);
    return stored?.object;
  }

  /** The same for who only looks at it and must change nothing: of what is on the disk there is one copy for all. */
  look(uid: string): Readonly<ManagedObject> | undefined {
    const changed = this.#changed.get(uid);
    if (changed) return changed;
    const stored = this.#store.look(uid);
    if (!this.#versions.has(uid)) this.#versions.set(uid, stored?.version);
    return stored?.object;
  }

  /** An object that was read or found before. */
  known(uid: string): ManagedObject {
    const object = this.get(uid);
    if (!object) throw new TypeError("an object is gone");
    return object;
  }

  /** What has changed, where others have written since this began. */
  changedMeanwhile(): ManagedObject[] {
    return this.#store.commits === this.#begun ? [] : [...this.#changed.values()];
  }

  /** What was read and not changed will be read again, as it is then. */
  forget(): void {
    for (const uid of this.#versions.keys()) if (!this.#changed.has(uid)) this.#versions.delete(uid);
    if (this.#changed.size === 0) this.#begun = this.#store.commits;
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

  /** The objects with all these index entries, in order of creation. */
  all(entries: readonly IndexEntry[]): ManagedObject[] {
    return this.find(entries).map((uid) => this.known(uid));
  }

  /**
   * Written when it returns, durable when the store is synced. Throws `Conflict` when what changes here was changed by
   * others since it was read, which can be only where the work waited for something.
   */
  commit(): void {
    if (this.#changed.size === 0) return;
    if (this.#store.commits !== this.#begun)
      for (const uid of this.#changed.keys())
        if (this.#versions.has(uid) && !this.#store.isUnchanged(uid, this.#versions.get(uid)))
          throw new Conflict(uid);
    this.#store.commit(this.#changed.values());
    this.#changed.clear();
    this.#versions.clear();
    this.#begun = this.#store.commits;
  }
}
