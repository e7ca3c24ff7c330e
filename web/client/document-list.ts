/** The list of documents: page by page from the datastore, each with a copy of its metadata where there is one. */

import { type DocumentRow, listDocuments, type PutListed, putListed } from "#protocol/contract/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import type { EncryptionContext } from "#protocol/port/index.ts";
import type { ContentName } from "./belonging.ts";
import { callEmpty, callJson } from "./call.ts";
import type { Place } from "./content.ts";
import { type DocumentKey, documentKeyOf, purposeOf } from "./document-key.ts";
import { asCofferError } from "./error.ts";
import { type Amiss, holdAgainst, sync } from "./held-list.ts";
import { type DataKeys, findsKeys } from "./keys.ts";
import { type Copy, openListed, sealListed } from "./listing.ts";
import type { Metadata } from "./metadata.ts";
import type { Microservice } from "./microservice.ts";
import type { RestClient } from "./rest.ts";
import type { VersionIndex } from "./version-index.ts";

/** Documents without a copy whose own metadata is opened at a time. */
const READING = 4;
/** Keys that copies of one page may be under. */
const KEYS = 32;
/** Copies that are put at a time. */
const PUTTING = 100;

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
}

export interface ListOptions {
  signal?: AbortSignal;
  onChange?: (documents: Document[]) => void;
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
};

type Page = { rows: DocumentRow[]; keys: string[] };
type Named = { sealed: string } & Opened;

export class DocumentList {
  readonly #means: Means;
  /** Copies that are open, while this page lives. Never written to storage. */
  readonly #named = new Map<string, Named>();

  constructor(means: Means) {
    this.#means = means;
  }

  forget(place: Place): void {
    this.#named.delete(nameOf(place));
  }

  /** All complete documents of these accounts, newest first. While names are opened, the next page is on its way. */
  async list(accounts: readonly string[], { signal, onChange }: ListOptions = {}): Promise<Document[]> {
    const documents: Document[] = [];
    const changed = () => onChange?.(documents);
    const naming: Promise<void>[] = [];
    // Beside the first page; what has come of it is looked at when the list is whole.
    const reading = accounts.map((account) => ({ account, synced: sync(this.#means.index, account) }));
    for (const account of accounts) {
      for await (const page of this.#usablePages(account, signal)) {
        const fresh = page.rows.map((row) => this.#document(row));
        documents.push(...fresh);
        documents.sort(newestFirst);
        changed();
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
    for (const { account, synced } of reading)
      await holdAgainst(this.#means.index, await synced, {
        ...{ account, documents },
        content: (document) => (this.#means.known(document) ?? this.#named.get(nameOf(document)))?.content,
        again: () => this.#again(account, documents, changed, signal),
      }).catch((error: unknown) => refused.push(error));
    signal?.throwIfAborted();
    changed();
    // Said when the other accounts have been looked at as well.
    if (refused.length > 0) throw refused[0];
    return documents;
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
    documents.splice(0, documents.length, ...kept, ...fresh);
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
    const waiting = others.values();
    const work = async () => {
      for (const document of waiting) {
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
      }
    };
    await Promise.all(Array.from({ length: READING }, work));
    // Not waited for: without its copy each is read again next time, and that is all.
    void this.#copy(read, signal).catch(() => {});
  }

  /** Puts copies of documents that have none that opens. */
  async #copy(documents: readonly Document[], signal: AbortSignal | undefined): Promise<void> {
    for (let from = 0; from < documents.length && !signal?.aborted; from += PUTTING) {
      const copies = new Map<string, { account: string } & PutListed>();
      for (const document of documents.slice(from, from + PUTTING)) {
        const { account, id } = document;
        const opened = this.#means.known(document);
        const copy = opened && (await this.copy(document, opened));
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
  async copy({ account, id }: Place, { metadata, content, key }: Opened) {
    const { keys, microservice, context } = this.#means;
    if (!content) return undefined;
    const enrolled = await microservice.use();
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
  async *#usablePages(account: string, signal: AbortSignal | undefined): AsyncGenerator<Page> {
    try {
      yield* this.#pages(account, signal);
    } catch (error) {
      if (codeOf(error) !== "pending-deletion") throw error;
    }
  }

  async *#pages(account: string, signal: AbortSignal | undefined): AsyncGenerator<Page> {
    const seen = new Set<string>();
    let cursor: string | undefined;
    do {
      const input = { account, ...(cursor !== undefined && { cursor }) };
      const page = await callJson(this.#means.rest, listDocuments, input, undefined, { signal });
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

/** Two accounts may have a document by one id. */
export function nameOf({ account, id }: Place): string {
  return `${account}/${id}`;
}

function newestFirst(a: Document, b: Document): number {
  return b.created.getTime() - a.created.getTime();
}
