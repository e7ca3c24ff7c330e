/** The list of documents: page by page from the datastore, each with a copy of its metadata where there is one. */

import {
  type DocumentPage,
  type DocumentRow,
  listDeletedDocuments,
  listDocuments,
  MAX_DOCUMENT_IDS,
  type PutListed,
  putListed,
} from "#protocol/contract/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import type { EncryptionContext } from "#protocol/port/index.ts";
import type { ContentName } from "./belonging.ts";
import { callEmpty, callJson } from "./call.ts";
import type { Place } from "./content.ts";
import { type DocumentKey, documentKeyOf, purposeOf } from "./document-key.ts";
import { asCofferError, isTransient } from "./error.ts";
import { type Amiss, compare, holdAgainst, type Synced, sync } from "./held-list.ts";
import { ASKED_AT_ONCE, inTurns } from "./in-turns.ts";
import { type Entry, type ListStore, readKept, writeKept } from "./kept-list.ts";
import { type DataKeys, findsKeys } from "./keys.ts";
import { type Copy, openListed, sealListed } from "./listing.ts";
import type { Metadata } from "./metadata.ts";
import type { EnrolledMicroservice, Microservice } from "./microservice.ts";
import type { RestClient } from "./rest.ts";
import type { VersionIndex } from "./version-index.ts";

/** Documents without a copy whose own metadata is opened at a time. */
const READING = 4;
/** Keys that copies of one page may be under. */
const KEYS = 32;
/** Copies that are put at a time. */
const PUTTING = 100;
/** Documents that have changed, up to which they are asked for by their ids; else the list is read anew. */
const CHANGED = 5 * MAX_DOCUMENT_IDS;
/** Of documents that came last nobody relies on the index alone: so many are listed each time. */
const NEWEST = 50;
/** A list is read anew after so long, for what the index does not tell. Milliseconds. */
const LIST_LIFE = 24 * 3600 * 1000;
/** A list is kept over a reload so often at the most. Milliseconds. */
const KEEPING = 20_000;

/** A document as the list has it. */
export interface Document {
  id: string;
  account: string;
  /** When it was sealed. */
  created: Date;
  /** Bytes of ciphertext at the datastore. */
  sealedSize: number;
  /** Its opened metadata; undefined while it is being opened, and where it could not be, with the reason in `error`. */
  metadata?: Metadata | undefined;
  /** Which key it is under; undefined while its metadata is not open. */
  key?: DocumentKey | undefined;
  error?: unknown;
  /**
   * What is amiss by the version index; `error` says the same of all but `unfinished`. `hidden`: it stands there, and the datastore does
   * not list it; nothing is known but its id. `changed`: it serves something else than stands. `deleted`: it serves what was deleted. `unfinished`:
   * its sealing was cut off at the last step, or a program without the index has sealed it; `finish` enters it.
   */
  state?: Amiss;
  /** When it will be deleted for good, where it is listed as deleted. */
  ends?: Date;
  /** Its earlier versions, the latest first, where it has any. */
  earlier?: Document[];
}

export interface ListOptions {
  signal?: AbortSignal;
  onChange?: (documents: Document[]) => void;
  /** Those that will be deleted, with `ends`, instead of the others. */
  deleted?: boolean;
}

/** Metadata that was opened. */
export interface Opened {
  metadata: Metadata;
  /** The content that it was sealed beside; documents of format 1 do not say. */
  content: ContentName | undefined;
  key: DocumentKey | undefined;
}

type Means = {
  rest: Pick<RestClient, "json" | "send">;
  microservice: Pick<Microservice, "use">;
  keys: Pick<DataKeys, "ensureAll" | "listing">;
  index: Pick<VersionIndex, "sync" | "compare" | "found">;
  context(account: string, document: string, purpose: string): EncryptionContext;
  /** A document's own metadata, if it is open already. */
  known(place: Place): Opened | undefined;
  /** The same, fetched and opened. */
  read(place: Place, signal: AbortSignal | undefined): Promise<Opened>;
  lists?: (() => Promise<ListStore>) | undefined;
};

type Page = { rows: (DocumentRow & { ends?: number })[]; keys: string[] };
/** What was listed last of an account. `kept`: when it was kept over a reload last, of a steady clock. */
type Known = { read: number; documents: Map<string, Document>; kept: number };
type Named = { sealed: string } & Opened;
type Lists = typeof listDocuments | typeof listDeletedDocuments;

export class DocumentList {
  readonly #means: Means;
  /** Copies that are open, while this page lives. Never written to storage. */
  readonly #named = new Map<string, Named>();
  readonly #known = new Map<string, Known>();
  /** Accounts whose list is another by now than the one that is kept. */
  readonly #unkept = new Set<string>();
  /** Keys that listed copies are under, by account. */
  readonly #under = new Map<string, Set<string>>();
  /** Metadata keys under which copies were sealed again, or are being. */
  readonly #renewed = new Set<string>();

  constructor(means: Means) {
    this.#means = means;
  }

  forget(place: Place): void {
    this.#named.delete(nameOf(place));
    if (this.#known.get(place.account)?.documents.delete(place.id)) this.#unkept.add(place.account);
  }

  /** The account's documents as they were listed last, by their ids. */
  known(account: string): ReadonlyMap<string, Document> {
    return this.#known.get(account)?.documents ?? new Map();
  }

  /** It was sealed here: the next list has it, whatever it begins with. */
  add(document: Document): Document {
    if (document.state) return document;
    this.#known.get(document.account)?.documents.set(document.id, document);
    this.#unkept.add(document.account);
    return document;
  }

  /**
   * All complete documents of these accounts, newest first. Of an account that was listed before, it begins with what was listed then, and asks for
   * what has changed since. Else, while names are opened, the next page is on its way.
   */
  async list(accounts: readonly string[], { signal, onChange }: ListOptions = {}): Promise<Document[]> {
    const documents: Document[] = [];
    const changed = () => onChange?.(documents);
    const naming: Promise<void>[] = [];
    // Beside the first page; what has come of it is looked at when the list is whole.
    const syncing = inTurns(accounts, ASKED_AT_ONCE, (account) => sync(this.#means.index, account));
    const reading = syncing.map((synced, at) => ({ account: accounts[at] ?? "", synced }));
    const whole = new Map<string, number>();
    for (const { account, synced } of reading) {
      const known = await this.#knownOf(account);
      if (known) {
        for (const { state, error, ...document } of known.documents.values()) documents.push(document);
        documents.sort(newestFirst);
        changed();
        const begun = Date.now();
        const caught = await this.#catchUp(account, synced, documents, changed, signal);
        if (caught === "all") whole.set(account, begun);
        if (caught) continue;
        this.#known.delete(account);
        replace(
          documents,
          documents.filter((document) => document.account !== account),
        );
      }
      whole.set(account, Date.now());
      for await (const page of this.#usablePages(account, signal)) {
        const fresh = page.rows.map((row) => this.#document(row));
        documents.push(...fresh);
        documents.sort(newestFirst);
        changed();
        // Pages may come faster than a microservice opens them.
        await naming.at(-ASKED_AT_ONCE)?.catch(() => {});
        const opening = this.#open(fresh, page, changed, signal);
        naming.push(opening);
        // Told when the list is whole.
        opening.catch(() => {});
      }
    }
    changed();
    const named = await Promise.allSettled(naming);
    signal?.throwIfAborted();
    // What failed otherwise is tried again below, document by document.
    for (const { reason } of named.filter((each) => each.status === "rejected"))
      if (codeOf(reason) === "signed-out") throw reason;
    await this.#readOthers(documents, changed, signal);
    const refused: unknown[] = [];
    for (const { account, synced } of reading) {
      const come = await synced;
      await holdAgainst(this.#means.index, come, {
        ...{ account, documents },
        content: (document) => this.#contentOf(document),
        again: () => this.#again(account, documents, changed, signal),
      }).then(
        () => !signal?.aborted && this.#know(account, come, documents, whole.get(account)),
        (error: unknown) => {
          this.#known.delete(account);
          refused.push(error);
        },
      );
    }
    signal?.throwIfAborted();
    changed();
    // Not waited for: what is cut off goes on with a later page.
    for (const account of accounts) void this.#renew(account).catch(() => {});
    // Said when the other accounts have been looked at as well.
    if (refused.length > 0) throw refused[0];
    return documents;
  }

  /** Those that will be deleted, by the copies of their metadata alone; without one they have no name here. */
  async deleted(accounts: readonly string[], { signal }: ListOptions = {}): Promise<Document[]> {
    const documents: Document[] = [];
    for (const account of accounts)
      for await (const page of this.#usablePages(account, signal, listDeletedDocuments)) {
        const fresh = page.rows.map((row) => {
          return { ...this.#document(row), ends: new Date((row.ends ?? 0) * 1000) };
        });
        await this.#open(fresh, page, () => {}, signal);
        documents.push(...fresh);
      }
    return documents.sort(newestFirst);
  }

  /** What was listed of an account last, be it before a reload; none where that is too long ago. */
  async #knownOf(account: string): Promise<Known | undefined> {
    let known = this.#known.get(account);
    if (!known && this.#means.lists) {
      const kept = await readKept(await this.#means.lists(), this.#means, account);
      known = kept && { read: kept.read, documents: new Map(), kept: Number.NEGATIVE_INFINITY };
      for (const { id, created, sealedSize, metadata, key, content } of kept?.entries ?? []) {
        this.#named.set(nameOf({ account, id }), { sealed: "", metadata, key, content });
        const document = { id, account, created: new Date(created), sealedSize, metadata, key };
        known?.documents.set(id, document);
      }
      if (known) this.#known.set(account, known);
    }
    const age = known ? Date.now() - known.read : 0;
    return known && age >= 0 && age < LIST_LIFE ? known : undefined;
  }

  /**
   * Brings what has changed since: the newest documents, of which some may not be in the index, and what the index tells of the others. False
   * where the account has to be listed anew; `all` where the newest are all that there are.
   */
  async #catchUp(
    account: string,
    synced: Promise<Synced>,
    documents: Document[],
    changed: () => void,
    signal: AbortSignal | undefined,
  ): Promise<"all" | boolean> {
    const { rest, index } = this.#means;
    const asking = callJson(rest, listDocuments, { account, limit: String(NEWEST) }, undefined, { signal });
    const refused = (error: unknown) => {
      // What passes is no reason to forget what is known.
      if (isTransient(error)) throw error;
    };
    const [newest, come] = await Promise.all([asking.catch(refused), synced]);
    signal?.throwIfAborted();
    if (!newest || !("founded" in come && come.founded)) return false;
    const rows = new Map(newest.documents.map((row) => [row.id, row]));
    if (rows.size < newest.documents.length) throw new CofferError("unexpected-response");
    const since = newest.cursor === undefined ? 0 : (newest.documents.at(-1)?.created ?? 0) * 1000;
    const isNewer = ({ created }: Document) => created.getTime() >= since + 1000;
    const take = async ({ documents: of, keys = [] }: DocumentPage) => {
      if (of.some((row) => row.account !== account)) throw new CofferError("unexpected-response");
      const fresh = of.map((row) => this.#document(row));
      documents.push(...fresh);
      documents.sort(newestFirst);
      changed();
      await this.#open(fresh, { rows: of, keys }, changed, signal);
    };
    const without = (gone: (document: Document) => boolean) =>
      replace(
        documents,
        documents.filter((document) => document.account !== account || !gone(document)),
      );
    without((document) => rows.has(document.id) || since === 0 || isNewer(document));
    await take(newest);
    const content = (document: Place) => this.#contentOf(document);
    const told = await compare(index, { account, documents, content });
    // Of the newest it is as the datastore says, and looked at as in any list.
    const wanted = [...told.hidden, ...told.changed, ...told.unknown].filter((id) => !rows.has(id));
    if (wanted.length > CHANGED) return false;
    const other = new Set([...wanted, ...told.deleted.filter((id) => !rows.has(id))]);
    if (other.size > 0) without(({ id }) => other.has(id));
    for (let from = 0; from < wanted.length; from += MAX_DOCUMENT_IDS) {
      const ids = wanted.slice(from, from + MAX_DOCUMENT_IDS);
      const page = await callJson(rest, listDocuments, { account, ids: ids.join(",") }, undefined, {
        signal,
      });
      const asked = new Set(ids);
      if (!page.documents.every(({ id }) => asked.delete(id))) throw new CofferError("unexpected-response");
      await take(page);
    }
    return newest.cursor === undefined ? "all" : true;
  }

  /** The next list of the account begins with this one, after a reload too. `read`: when it was read as a whole, if it was now. */
  #know(account: string, synced: Synced, documents: readonly Document[], read: number | undefined): void {
    const before = this.#known.get(account);
    const since = read ?? before?.read;
    if (since === undefined || !("founded" in synced && synced.founded))
      return void this.#known.delete(account);
    const sound = documents.filter(
      (document) =>
        document.account === account && document.metadata && !document.error && this.#contentOf(document),
    );
    const same =
      read === undefined &&
      before?.documents.size === sound.length &&
      sound.every(({ id }) => before.documents.has(id));
    const kept = before?.kept ?? Number.NEGATIVE_INFINITY;
    const known = { read: since, documents: new Map(sound.map((each) => [each.id, each])), kept };
    this.#known.set(account, known);
    if (!same) this.#unkept.add(account);
    const now = performance.now();
    if (!this.#unkept.has(account) || now < known.kept + KEEPING) return;
    known.kept = now;
    // What changes while it is being kept is kept the next time.
    this.#unkept.delete(account);
    void this.#keep(account, known).catch(() => this.#unkept.add(account));
  }

  async #keep(account: string, { read, documents }: Known): Promise<void> {
    const lists = await this.#means.lists?.();
    if (!lists) return;
    const entries: Entry[] = [];
    for (const document of documents.values()) {
      const { id, created, sealedSize, metadata, key } = document;
      const content = this.#contentOf(document);
      if (metadata && content)
        entries.push({ id, created: created.getTime(), sealedSize, metadata, key, content });
    }
    await writeKept(lists, this.#means, account, { read, entries });
  }

  /** The content that its metadata names, as far as that is open. */
  #contentOf(place: Place): ContentName | undefined {
    return this.#openedOf(place)?.content;
  }

  #openedOf(place: Place): Opened | undefined {
    return this.#means.known(place) ?? this.#named.get(nameOf(place));
  }

  /** Lists an account again into `documents`. */
  async #again(
    account: string,
    documents: Document[],
    changed: () => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const rows = new Map((await this.rows(account, signal)).map((row) => [row.id, row]));
    const kept = documents.filter((document) => document.account !== account || rows.delete(document.id));
    const fresh = [...rows.values()].map((row) => this.#document(row));
    replace(documents, [...kept, ...fresh]);
    documents.sort(newestFirst);
    await this.#readOthers(fresh, changed, signal);
  }

  #document({ id, account, created, size, listed }: DocumentRow): Document {
    const document: Document = { id, account, created: new Date(created * 1000), sealedSize: size };
    const named = this.#named.get(nameOf(document));
    const known =
      this.#means.known(document) ?? (named && named.sealed === listed?.sealed ? named : undefined);
    document.metadata = known?.metadata;
    document.key = known?.key;
    return document;
  }

  /** Opens the copies of a page, as far as they open. */
  async #open(
    documents: readonly Document[],
    { rows, keys }: Page,
    changed: () => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { microservice, context, keys: dataKeys } = this.#means;
    const [first] = documents;
    if (first) this.#under.set(first.account, new Set([...(this.#under.get(first.account) ?? []), ...keys]));
    const enrolled = await microservice.use();
    // Whoever writes can make other keys, and a copy under one of them of a name that is none.
    const counts = (edk: string) => findsKeys(enrolled) || purposeOf(edk) === "metadata";
    const closed: { document: Document; copy: Copy }[] = [];
    for (const [at, document] of documents.entries()) {
      const { listed } = rows[at] ?? {};
      const edk = listed && keys[listed.key];
      if (edk === undefined || document.metadata || !counts(edk)) continue;
      const bound = context(document.account, document.id, "listing");
      closed.push({ document, copy: { context: bound, edk, sealed: listed?.sealed ?? "" } });
    }
    if (closed.length === 0) return;
    const named = [...new Set(closed.map(({ copy }) => copy.edk))].slice(0, KEYS);
    const loaded = await dataKeys.ensureAll(named, signal, enrolled);
    const open = closed.filter(({ copy }) => loaded.has(copy.edk));
    let at = 0;
    const copies = open.map(({ copy }) => copy);
    for await (const some of openListed(enrolled.port, copies)) {
      signal?.throwIfAborted();
      for (const opened of some) {
        const { document, copy } = open[at++] ?? {};
        if (!opened || !document || !copy) continue;
        const { content, key: named, ...metadata } = opened;
        // Where an instance finds keys itself, document and copy are under the account's one data key.
        const key = findsKeys(enrolled) ? documentKeyOf(copy.edk) : named;
        Object.assign(document, { metadata, key });
        this.#named.set(nameOf(document), { sealed: copy.sealed, metadata, key, content });
      }
      changed();
    }
  }

  /** Those without a copy, or with one that does not open: their own metadata, one request each. */
  async #readOthers(
    documents: readonly Document[],
    changed: () => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const others = documents.filter(({ metadata }) => !metadata);
    const read: Document[] = [];
    const work = async (document: Document) => {
      try {
        const { metadata, key } = await this.#means.read(document, signal);
        Object.assign(document, { metadata, key });
        read.push(document);
      } catch (error) {
        signal?.throwIfAborted();
        document.error = asCofferError(error);
        if (codeOf(error) === "signed-out") throw error;
      }
      changed();
    };
    await Promise.all(inTurns(others, READING, work));
    // Not waited for: without its copy each is read again next time, and that is all.
    void this.#copy(read, signal).catch(() => {});
  }

  /**
   * Seals the copies of an account again that are under an earlier metadata key: a member may have left with it. Of what was held against the
   * version index alone; the oldest first, so that the newest, which every list asks for, show that it was cut off.
   */
  async #renew(account: string): Promise<void> {
    const { keys, lists } = this.#means;
    const under = [...(this.#under.get(account) ?? [])];
    const known = this.known(account);
    if (under.length === 0 || known.size === 0) return;
    const last = await keys.listing(account);
    if (!last || this.#renewed.has(last) || under.every((edk) => edk === last)) return;
    // Another device may know a later one.
    const current = await keys.listing(account, undefined, true);
    if (!current || this.#renewed.has(current)) return;
    // Whatever the datastore lists: once for each key.
    this.#renewed.add(current);
    const work = async () => {
      const older: Document[] = [];
      for await (const page of this.#pages(account, undefined))
        for (const { id, listed } of page.rows) {
          const document = known.get(id);
          if (document && listed && page.keys[listed.key] !== current) older.push(document);
        }
      await this.#copy(older.reverse());
    };
    const store = await lists?.();
    await (store ? store.alone(account, work) : work());
  }

  /** Puts copies of documents that have none that opens, or one under an earlier key. By one microservice: with a sign-out it ends. */
  async #copy(documents: readonly Document[], signal?: AbortSignal): Promise<void> {
    if (documents.length === 0) return;
    const enrolled = await this.#means.microservice.use();
    for (let from = 0; from < documents.length && !signal?.aborted; from += PUTTING) {
      const copies = new Map<string, { account: string } & PutListed>();
      for (const document of documents.slice(from, from + PUTTING)) {
        const { account, id } = document;
        const opened = this.#openedOf(document);
        const copy = opened && (await this.copy(document, opened, enrolled));
        if (!copy) continue;
        const { edk, sealed } = copy;
        const group = copies.get(`${account}/${edk}`) ?? { account, edk, documents: [] };
        group.documents.push({ id, sealed });
        copies.set(`${account}/${edk}`, group);
      }
      for (const { account, edk, documents } of copies.values())
        await callEmpty(this.#means.rest, putListed, { account }, { edk, documents });
    }
  }

  /** The copy of a document's metadata for the list; undefined where there can be none now. */
  async copy({ account, id }: Place, { metadata, content, key }: Opened, at?: EnrolledMicroservice) {
    const { keys, microservice, context } = this.#means;
    if (!content) return undefined;
    const enrolled = at ?? (await microservice.use());
    const edk = await keys.listing(account, enrolled);
    const sealing = { edk, context: context(account, id, "listing") };
    return sealListed(enrolled.port, sealing, { ...metadata, content, key });
  }

  /** Ids, sizes and times alone; nothing is opened. */
  async rows(account: string, signal?: AbortSignal): Promise<DocumentRow[]> {
    const rows: DocumentRow[] = [];
    for await (const page of this.#pages(account, signal)) rows.push(...page.rows);
    return rows;
  }

  /** Of an account that is scheduled for deletion nothing opens, and nothing is listed; the others are. */
  async *#usablePages(
    account: string,
    signal: AbortSignal | undefined,
    route: Lists = listDocuments,
  ): AsyncGenerator<Page> {
    try {
      yield* this.#pages(account, signal, route);
    } catch (error) {
      if (codeOf(error) !== "pending-deletion") throw error;
    }
  }

  async *#pages(
    account: string,
    signal: AbortSignal | undefined,
    route: Lists = listDocuments,
  ): AsyncGenerator<Page> {
    const seen = new Set<string>();
    let cursor: string | undefined;
    do {
      const input = { account, ...(cursor !== undefined && { cursor }) };
      const page = await callJson(this.#means.rest, route, input, undefined, { signal });
      const before = seen.size;
      for (const row of page.documents) {
        if (row.account !== account || seen.has(row.id)) throw new CofferError("unexpected-response");
        seen.add(row.id);
      }
      cursor = page.cursor;
      // Pages without end would have no end here either.
      if (cursor !== undefined && seen.size === before) throw new CofferError("unexpected-response");
      yield { rows: page.documents, keys: page.keys ?? [] };
    } while (cursor !== undefined);
  }
}

/** The list is the caller's already, and stays the same one. */
function replace(documents: Document[], by: readonly Document[]): void {
  documents.length = 0;
  for (const document of by) documents.push(document);
}

/** Two accounts may have a document by one id. */
export function nameOf({ account, id }: Place): string {
  return `${account}/${id}`;
}

function newestFirst(a: Document, b: Document): number {
  return b.created.getTime() - a.created.getTime();
}
