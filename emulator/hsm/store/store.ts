import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { makeFolder } from "#files/index.ts";
import { CofferError } from "#protocol/error.ts";
import { readKeyFile } from "./key-file.ts";
import type { ManagedObject } from "./managed-object.ts";
import { wasRead } from "./material.ts";
import { Opened, type OpenedObject } from "./opened.ts";
import { NONCE, RowSealer, versionOf } from "./sealed-row.ts";
import { entryKey, type IndexEntry, isSelective } from "./store-index.ts";
import { objectOf, Unwritten, type UnwrittenObject, unwritten } from "./unwritten.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS objects (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, sealed BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS attributes (tag TEXT NOT NULL, value TEXT NOT NULL, object INTEGER NOT NULL,
    PRIMARY KEY (tag, value, object)) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS attributes_of ON attributes (object);
`;
const VERSION = 1;

/**
 * The HSM's objects in SQLite, each row encrypted (`sealed-row.ts`), found by indexed attributes. `commit` is one nested
 * transaction: those that come close together share an outer one, and with it one sync of the disk. What it makes stays in memory until that outer one
 * ends (`unwritten.ts`). It is on the disk when `synced` resolves, and nothing is answered before that. Dates and randomness come in.
 */
export class ObjectStore {
  #database: DatabaseSync;
  #sealer: RowSealer;
  #random: (length: number) => Uint8Array;
  #unwritten = new Unwritten();
  #opened = new Opened();
  /** Of the database, by SQLite's count of what other connections have written. */
  #others: unknown;
  #ofOthers: StatementSync;
  #read: StatementSync;
  #update: StatementSync;
  #insert: StatementSync;
  #indexed: StatementSync;
  #unindex: StatementSync;
  #index: StatementSync;
  #log: WriteAheadLog;
  #commits = 0;
  #begin: StatementSync;
  #end: StatementSync;
  #beginNested: StatementSync;
  #endNested: StatementSync;
  #searches = new Map<string, StatementSync>();

  /** Opens `dir/hsm.sqlite` with the key in `dir/hsm.key`; makes what is missing. */
  constructor(dir: string, random: (length: number) => Uint8Array) {
    makeFolder(dir);
    this.#sealer = new RowSealer(readKeyFile(join(dir, "hsm.key"), random));
    this.#random = random;
    this.#database = new DatabaseSync(join(dir, "hsm.sqlite"));
    // NORMAL: SQLite syncs the log before it is copied to the database, and we do it before each answer.
    this.#database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 2000;
       PRAGMA busy_timeout = 5000; PRAGMA secure_delete = ON;`,
    );
    this.#log = new WriteAheadLog(join(dir, "hsm.sqlite-wal"), () => this.#write());
    this.#migrate();
    this.#begin = this.#database.prepare("BEGIN IMMEDIATE");
    this.#end = this.#database.prepare("COMMIT");
    this.#beginNested = this.#database.prepare("SAVEPOINT nested");
    this.#endNested = this.#database.prepare("RELEASE nested");
    this.#ofOthers = this.#database.prepare("PRAGMA data_version");
    this.#read = this.#database.prepare("SELECT sealed FROM objects WHERE uid = ?");
    this.#update = this.#database.prepare("UPDATE objects SET sealed = ? WHERE uid = ? RETURNING id");
    this.#insert = this.#database.prepare("INSERT INTO objects (uid, sealed) VALUES (?, ?)");
    this.#indexed = this.#database.prepare("SELECT tag, value FROM attributes WHERE object = ?");
    this.#unindex = this.#database.prepare(
      "DELETE FROM attributes WHERE tag = ? AND value = ? AND object = ?",
    );
    this.#index = this.#database.prepare(
      "INSERT OR IGNORE INTO attributes (tag, value, object) VALUES (?, ?, ?)",
    );
  }

  /** The object, or undefined when there never was one of this identifier. Throws when its row was altered. */
  read(uid: string): ManagedObject | undefined {
    return this.load(uid)?.object;
  }

  /** The object, and what distinguishes this state of it from any other. */
  load(uid: string): { object: ManagedObject; version: Uint8Array } | undefined {
    const made = this.#unwritten.get(uid);
    if (made) return { object: objectOf(made), version: made.version };
    const opened = this.#open(uid);
    return opened && { object: wasRead(objectOf(opened), opened), version: opened.version };
  }

  /** The same for who only looks: of what is on the disk all who look have one copy, which nobody may change. */
  look(uid: string): { object: Readonly<ManagedObject>; version: Uint8Array } | undefined {
    if (this.#unwritten.get(uid)) return this.load(uid);
    const opened = this.#open(uid);
    if (!opened) return undefined;
    opened.shared ??= frozen(objectOf(opened));
    return { object: opened.shared, version: opened.version };
  }

  /** The row as it is now: from memory where nothing has been written to it since it was opened. */
  #open(uid: string): OpenedObject | undefined {
    const { data_version: others } = this.#ofOthers.get() as { data_version: number };
    if (others !== this.#others) this.#opened.clear();
    this.#others = others;
    const kept = this.#opened.get(uid);
    if (kept) return kept;
    const sealed = this.#row(uid);
    if (!sealed) return undefined;
    const opened = { plain: this.#sealer.open(uid, sealed), version: versionOf(sealed) };
    this.#opened.keep(uid, opened);
    return opened;
  }

  /** Whether the object is in the state that was read; `version` is undefined where there was none. */
  isUnchanged(uid: string, version: Uint8Array | undefined): boolean {
    const sealed = this.#row(uid);
    const now = this.#unwritten.get(uid)?.version ?? (sealed && versionOf(sealed));
    if (!now || !version) return now === version;
    return Buffer.compare(now, version) === 0;
  }

  /** How many commits there have been since it was opened. */
  get commits(): number {
    return this.#commits;
  }

  #row(uid: string): Uint8Array | undefined {
    return (this.#read.get(uid) as { sealed: Uint8Array } | undefined)?.sealed;
  }

  /** Identifiers of the objects that have all these entries, and all of one of `anyOf`, in order of creation. */
  find(entries: readonly IndexEntry[], anyOf?: readonly (readonly IndexEntry[])[]): string[] {
    if (anyOf?.length === 0) return [];
    const alternatives = anyOf?.map(({ length }) => length);
    const few = !alternatives || entries.some(isSelective);
    const shape = `${entries.length} ${few} ${alternatives}`;
    let search = this.#searches.get(shape);
    if (!search) {
      search = this.#database.prepare(searchOf(entries.length, alternatives, few));
      this.#searches.set(shape, search);
    }
    const others = anyOf?.flat() ?? [];
    const all = few ? [...entries, ...others] : [...others, ...entries];
    const stored = search.all(...all.flat()).map((row) => row.uid as string);
    return [...stored, ...this.#unwritten.find(entries, anyOf)];
  }

  /** Changes all or none, for every reader from then on; `synced` resolves when it is durable. */
  commit(objects: Iterable<ManagedObject>): void {
    this.#log.check();
    const all: UnwrittenObject[] = [];
    let stored: Set<UnwrittenObject>;
    try {
      for (const object of objects) all.push(unwritten(object, this.#random(NONCE)));
      this.#log.changed();
      stored = new Set(all.filter(({ uid }) => !this.#unwritten.get(uid) && this.#row(uid)));
      if (stored.size > 0) this.#change(stored);
    } catch (error) {
      for (const { plain } of all) plain.fill(0);
      throw error;
    }
    for (const object of all) if (!stored.has(object)) this.#unwritten.put(object);
    this.#commits++;
  }

  /** Of what is on the disk, all or nothing. */
  #change(objects: Iterable<UnwrittenObject>): void {
    if (!this.#database.isTransaction) this.#begin.run();
    this.#beginNested.run();
    try {
      for (const object of objects) this.#put(object);
    } catch (error) {
      this.#opened.clear();
      // On some errors SQLite gives up the outer transaction, and with it what others changed.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK TO nested; RELEASE nested");
      else this.#log.fail(error as Error);
      throw error;
    }
    this.#endNested.run();
  }

  /** Resolves when all that was committed before the call is on the disk. */
  synced(): Promise<void> {
    return this.#log.synced();
  }

  /** After a write that failed nothing more is written: what was begun is rolled back, and was never acknowledged. */
  close(): void {
    try {
      if (!this.#log.hasFailed) this.#writeAll();
    } finally {
      this.#unwritten.clear();
      this.#opened.clear();
      this.#log.close();
      this.#database.close();
    }
  }

  /** Whether there was anything that somebody waits for. */
  #write(): boolean {
    if (!this.#database.isTransaction && !this.#unwritten.isDue) return false;
    this.#writeAll();
    return true;
  }

  #writeAll(): void {
    try {
      for (const object of this.#unwritten.all()) {
        if (!this.#database.isTransaction) this.#begin.run();
        this.#put(object);
      }
      if (this.#database.isTransaction) this.#end.run();
    } catch (error) {
      // What was changed in it may have been read.
      this.#opened.clear();
      throw error;
    } finally {
      // Also what failed: sealed once more, under the nonce that it has, it would give itself away.
      this.#unwritten.clear();
    }
  }

  #put({ uid, plain, version, entries: all }: UnwrittenObject): void {
    const sealed = this.#sealer.seal(uid, plain, version);
    plain.fill(0);
    this.#opened.drop(uid);
    const entries = new Map(all.map((entry) => [entryKey(entry), entry]));
    const updated = this.#update.get(sealed, uid) as { id: number } | undefined;
    const id = updated?.id ?? (this.#insert.run(uid, sealed).lastInsertRowid as number);
    if (updated) {
      // Most changes leave the index as it is.
      for (const { tag, value } of this.#indexed.all(id) as { tag: string; value: string }[])
        if (!entries.delete(entryKey([tag, value]))) this.#unindex.run(tag, value, id);
    }
    for (const [tag, value] of entries.values()) this.#index.run(tag, value, id);
  }

  #migrate(): void {
    const { user_version: version } = this.#database.prepare("PRAGMA user_version").get() as {
      user_version: number;
    };
    if (version > VERSION)
      throw new CofferError("store-too-new", {
        message: "The HSM's store was written by a newer release: start that one.",
      });
    this.#database.exec(`${SCHEMA} PRAGMA user_version = ${VERSION};`);
  }
}

function frozen(object: ManagedObject): Readonly<ManagedObject> {
  Object.freeze(object.attributes);
  return Object.freeze(object);
}

/**
 * The search for so many entries, and for one of the alternatives of so many each. One of both finds the rows, of which the
 * other is asked one by one: the entries where they are `few`, which then come first among the parameters.
 */
function searchOf(entries: number, alternatives: readonly number[] | undefined, few: boolean): string {
  const one = "SELECT object FROM attributes WHERE tag = ? AND value = ?";
  const also =
    "EXISTS (SELECT 1 FROM attributes AS also WHERE also.tag = ? AND also.value = ? AND also.object = ";
  const and = (count: number, text: string) => Array.from({ length: count }, () => text).join(" AND ");
  const conditions: string[] = [];
  if (alternatives && !few) {
    const found = alternatives.map((length) =>
      [one, ...Array(length - 1).fill(`${also}attributes.object)`)].join(" AND "),
    );
    conditions.push(`id IN (${found.join(" UNION ")})`);
    if (entries > 0) conditions.push(and(entries, `${also}id)`));
  } else {
    if (entries > 0) conditions.push(and(entries, `id IN (${one})`));
    if (alternatives)
      conditions.push(`(${alternatives.map((length) => `(${and(length, `${also}id)`)})`).join(" OR ")})`);
  }
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  return `SELECT uid FROM objects ${where} ORDER BY id`;
}
