import { deserialize, serialize } from "node:v8";
import { isDestroyed, type ManagedObject } from "./managed-object.ts";
import { entryKey, type IndexEntry, indexEntries } from "./store-index.ts";

/** An object as it will be written: `version` is the nonce that its row will be sealed with. */
export interface UnwrittenObject {
  uid: string;
  plain: Buffer;
  version: Uint8Array;
  entries: readonly IndexEntry[];
  destroyed: boolean;
  /** Of its entries; made when they are first looked for. */
  keys?: ReadonlySet<string>;
}

/** Objects that wait to be written though nobody waits for that. */
const MAX_WAITING = 256;

/**
 * Objects that were made since the disk was last written to. A key that lives no longer than a batch is destroyed while it is here: its value
 * is never written, and nobody waits for the disk on its account. What is left of it goes with the next write that somebody waits for.
 */
export class Unwritten {
  readonly #objects = new Map<string, UnwrittenObject>();
  /** Who has, or had, an entry of a name: most searches ask for one, and nobody here has it. */
  readonly #named = new Map<string, Set<string>>();
  #living = 0;

  /** Whether somebody waits for these to be on the disk: until then nothing may be answered that says that they are there. */
  get isDue(): boolean {
    return this.#living > 0 || this.#objects.size > MAX_WAITING;
  }

  get(uid: string): UnwrittenObject | undefined {
    return this.#objects.get(uid);
  }

  /** In order of creation. */
  all(): Iterable<UnwrittenObject> {
    return this.#objects.values();
  }

  put(object: UnwrittenObject): void {
    const before = this.#objects.get(object.uid);
    before?.plain.fill(0);
    this.#living += Number(!object.destroyed) - Number(before?.destroyed === false);
    this.#objects.set(object.uid, object);
    for (const entry of object.entries) if (isName(entry)) this.#nameOf(entry).add(object.uid);
  }

  #nameOf(entry: IndexEntry): Set<string> {
    const key = entryKey(entry);
    const named = this.#named.get(key) ?? new Set();
    this.#named.set(key, named);
    return named;
  }

  /** Identifiers of those that have all these entries, and all of one of `anyOf`, in order of creation. */
  find(entries: readonly IndexEntry[], anyOf?: readonly (readonly IndexEntry[])[]): string[] {
    const name = entries.find(isName);
    const named = name && (this.#named.get(entryKey(name)) ?? new Set());
    if (named?.size === 0) return [];
    const wanted = entries.map(entryKey);
    const sets = anyOf?.map((set) => set.map(entryKey));
    const found: string[] = [];
    for (const object of this.#objects.values()) {
      if (named && !named.has(object.uid)) continue;
      object.keys ??= new Set(object.entries.map(entryKey));
      const { keys } = object;
      const has = (key: string) => keys.has(key);
      if (wanted.every(has) && (!sets || sets.some((set) => set.every(has)))) found.push(object.uid);
    }
    return found;
  }

  /** They are written, or never will be. */
  clear(): void {
    for (const { plain } of this.#objects.values()) plain.fill(0);
    this.#objects.clear();
    this.#named.clear();
    this.#living = 0;
  }
}

function isName([tag]: IndexEntry): boolean {
  return tag === "name";
}

/** The object as it is now. Throws for what cannot be stored. */
export function unwritten(object: ManagedObject, version: Uint8Array): UnwrittenObject {
  const entries = indexEntries(object);
  // What SQLite would refuse must not come up when it is written, with others' objects.
  if (entries.some((entry) => entry.some((text) => typeof text !== "string")))
    throw new TypeError("an index entry is no text");
  return { uid: object.uid, plain: serialize(object), version, entries, destroyed: isDestroyed(object) };
}

/**
 * A copy of it, in memory of its own: what is deserialized has views of the bytes that it is read from. Those here are filled with zeros when
 * they are written, and those that Buffers share are not.
 */
export function objectOf({ plain }: Pick<UnwrittenObject, "plain">): ManagedObject {
  const copy = Buffer.alloc(plain.length);
  plain.copy(copy);
  return deserialize(copy) as ManagedObject;
}
