/** Documents: sealed on their way to the datastore, opened on their way back. */

import { octetsOf, unread } from "#protocol/answer.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { readAll } from "#protocol/chunks.ts";
import {
  type AnswerOf,
  cancelDocumentDeletion,
  completeUpload,
  deleteDocument,
  type Lead,
  type Listed as ListedCopy,
  openUpload,
  putMetadata,
  readMetadata,
  readUpload,
  scheduleDocumentDeletion,
  storeDocument,
  type TakenPart,
  type UploadOpened,
  uploadPart,
} from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError, codeOf, type ErrorCode } from "#protocol/error.ts";
import type { PortClient } from "#protocol/port/index.ts";
import { said } from "./amiss.ts";
import {
  type ContentName,
  contentName,
  createDocumentId,
  nameStream,
  namesContent,
  sameContent,
} from "./belonging.ts";
import { callEmpty, callJson, callOctets } from "./call.ts";
import { type Content, contentOf, fetchContent, type Place } from "./content.ts";
import { documentKeyOf } from "./document-key.ts";
import { type Document, DocumentList, type ListOptions, nameOf, type Opened } from "./document-list.ts";
import { asCofferError, isTransient, isUndone } from "./error.ts";
import type { ListStore } from "./kept-list.ts";
import type { DataKeys } from "./keys.ts";
import {
  cleanFolder,
  cleanName,
  cleanType,
  decodeMetadata,
  encodeMetadata,
  METADATA_LIMIT,
  type Metadata,
  type SealedMetadata,
  type Series,
} from "./metadata.ts";
import type { EnrolledMicroservice, Microservice } from "./microservice.ts";
import { type OpenDocument, openStream, speaking } from "./open-stream.ts";
import { sendParts } from "./parts.ts";
import { counted, type Progress, type ProgressListener } from "./progress.ts";
import { HEAD, type RangedDocument, rangedDocument } from "./ranged.ts";
import {
  type Listed,
  nextDocumentId,
  type ReEncryptAllOptions,
  type ReEncryptProgress,
  reEncryptAll,
} from "./re-encryption.ts";
import type { RestClient } from "./rest.ts";
import { grouped, ofSeries, versionOf, versionsAmong } from "./series.ts";
import { SHORT_BYTES } from "./short.ts";
import { type Standing, VersionIndex } from "./version-index.ts";

/** Parts of one document under way at a time. */
export const IN_FLIGHT = 3;
/** Tries of a completion: when its answer is lost, nobody knows whether the document is stored. */
const COMPLETIONS = 5;
/** Bytes that sealing adds to a short document at most. */
const SEALED_MORE = 32 << 10;
/** Bytes of ciphertext of a short document. */
export const SHORT_SEALED = SHORT_BYTES + SEALED_MORE;
/** Tries of a part of what may be gone on with: some fifteen seconds. */
const KEPT_TRIES = 6;
/** What ends by itself, or by the person. */
const INTERRUPTIONS: ReadonlySet<ErrorCode> = new Set([
  ...(["signed-out", "no-session", "invalid-token", "quota-exceeded"] as const),
  ...(["port-closed", "vault-unreachable", "not-enrolled", "not-recipient", "instance-expired"] as const),
]);
/** An upload that is not open any more. */
const ENDED: ReadonlySet<ErrorCode> = new Set(["not-found", "conflict"]);
/** Of an account that is not open to the user now. */
const CLOSED: ReadonlySet<ErrorCode> = new Set(["forbidden", "pending-deletion"]);
/** There is nothing to go on with. */
const GONE: ReadonlySet<ErrorCode> = new Set([...ENDED, "not-resumable", "another-file"]);

export type { OpenDocument };

/** What can be sealed. */
export type Source = Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;

export interface SealOptions extends Partial<Omit<Metadata, "size" | "series">> {
  /** Bytes of a stream, where they are known: one of another length is not kept. Other sources have their own. */
  size?: number;
  /** Default: the first account of the user. */
  account?: string;
  /** The EDK of a key that is loaded, as `loadBySeed` answers it. Default: a new key. */
  key?: string;
  /**
   * Of a Blob or File that is sent in several parts: where the connection is lost, the sign-in ends, or `signal` aborts with a
   * CofferError `paused`, what was sent stays for a day. Sealed again, the same object goes on there; after a reload see `unfinishedUploads`.
   */
  resumable?: boolean;
  /** Told of the upload once it is open, where it is resumable: what `remove` ends when nobody wants to go on with it. */
  onUpload?: (upload: { id: string; account: string }) => void;
  signal?: AbortSignal;
  onProgress?: ProgressListener;
}

export interface OpenOptions {
  /** The account that the document is in, as the list has it. Default: the first of the user's that has one with this id. */
  account?: string;
  signal?: AbortSignal;
  onProgress?: ProgressListener;
}

export interface ReplaceOptions extends Omit<SealOptions, "account"> {
  /** The account that the document is in, as the list has it. Default: the first of the user's that has one with this id. */
  account?: string;
}

export interface ReEncryptOptions extends OpenOptions {
  /** Another name for it. */
  name?: string;
}

export interface RemoveOptions {
  /** The account that the document is in, as the list has it. Default: the first of the user's that has one with this id. */
  account?: string;
  /** For so many days, 1 to 90, it can be restored. Default: it is deleted for good at once. */
  days?: number;
  /** What `list` has just answered, for who deletes or restores many: nothing is listed for each then. */
  among?: readonly Document[];
  signal?: AbortSignal | undefined;
}

/** An upload that was stopped, by a reload say, and can be gone on with in this browser. */
export interface Unfinished {
  id: string;
  account: string;
  /** Bytes of ciphertext that the datastore has. */
  sent: number;
  metadata: Metadata;
}

type Tell = (step: Progress["step"], bytes: number) => void;

/** An upload that is under way. `taken`: what the datastore has of it; `named`: the content that its metadata names already. */
interface Upload {
  place: Place;
  edk: string | undefined;
  partSize: number;
  keep: boolean;
  taken: ReadonlyMap<number, TakenPart>;
  named?: ContentName;
  /** Whether it is refused where another than the version that it follows is the newest. */
  follows: boolean;
}

/** As which version something is sealed. `follows`: as the next one, of which there is one alone. */
type Version = { series: Series; follows: boolean };

/** `instead`: the version that it may follow where it cannot follow the one that it says. */
type EnteredAs = {
  follows?: boolean | undefined;
  instead?: (series: Series) => Promise<string | undefined>;
};

/** What the parts of a document are bound to: its encryption context. */
type DocumentContext = Record<"tenant" | "account" | "document" | "purpose", string>;

/** `keep`: what becomes of the ciphertext. */
type SealingApart<T> = {
  edk: string | undefined;
  source: Exclude<Source, ReadableStream>;
  metadata: Metadata;
  keep: (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => Promise<T>;
  signal: AbortSignal | undefined;
  copied?: boolean;
};
/** Told, instead of `unknown-whether-stored`, of what went up in one request whose answer is lost. */
type Unsure = (
  place: Place,
  sealed: Pick<SealedApart<Uint8Array<ArrayBuffer>>, "content" | "name" | "metadata" | "listed">,
  described: Metadata,
) => Promise<void>;
type SealedApart<T> = {
  content: T;
  name: ContentName;
  metadata: Uint8Array<ArrayBuffer>;
  listed: ListedCopy | undefined;
  opened: Opened & { content: ContentName };
};

export interface DocumentsOptions {
  rest: RestClient;
  microservice: Microservice;
  keys: DataKeys;
  tenant: () => string;
  /** The user's accounts, in which a document is looked for where nobody says its account. */
  accounts: () => string[];
  /** Bytes up to which a document goes up in one request. Default: 192 KiB. */
  short?: number;
  /** Where lists are kept over a reload. */
  lists?: (() => Promise<ListStore>) | undefined;
}

/** The documents of one custodian. */
export class Documents {
  readonly #rest: RestClient;
  readonly #microservice: Microservice;
  readonly #keys: DataKeys;
  readonly #tenant: () => string;
  readonly #accounts: () => string[];
  readonly #index: VersionIndex;
  readonly #list: DocumentList;
  readonly #short: number;
  /** Opened metadata by account and document, while this page lives. Never written to storage. */
  readonly #opened = new Map<string, Opened>();
  /** Uploads under way in this page. */
  readonly #sending = new Set<string>();
  /** Where a source was being sealed, for as long as the source is there. */
  readonly #stopped = new WeakMap<Blob, Place>();

  constructor({ rest, microservice, keys, tenant, accounts, short = SHORT_BYTES, lists }: DocumentsOptions) {
    this.#short = short;
    this.#rest = rest;
    this.#microservice = microservice;
    this.#keys = keys;
    this.#tenant = tenant;
    this.#accounts = accounts;
    this.#index = new VersionIndex(rest, microservice);
    this.#list = new DocumentList({
      ...{ rest, microservice, keys, index: this.#index, lists },
      context: (...of) => this.#context(...of),
      known: (place) => this.#opened.get(nameOf(place)),
      read: (place, signal) => this.#openMetadata(place, signal),
    });
  }

  /**
   * Seals a source as a new document of `account`. When it fails or is aborted, nothing of it is left in the list; where the
   * server has not confirmed the last step, that cannot be known, and the error is `unknown-whether-stored`.
   */
  async seal(
    source: Source,
    account: string,
    options: SealOptions & { unsure?: Unsure },
    id: string = createDocumentId(),
    as?: Version,
  ): Promise<Document> {
    const { signal, onProgress, unsure } = options;
    const metadata = { ...describe(source, options), ...(as && { series: as.series }) };
    const follows = as?.follows ?? false;
    const total = source instanceof ReadableStream ? options.size : metadata.size;
    const tell: Tell = (step, bytes) => onProgress?.({ step, bytes, total });
    const stopped =
      source instanceof Blob && options.resumable === true ? this.#stopped.get(source) : undefined;
    if (source instanceof Blob && stopped !== undefined) {
      this.#stopped.delete(source);
      options.onUpload?.({ ...stopped });
      const again = {
        account: stopped.account,
        ...(signal && { signal }),
        ...(onProgress && { onProgress }),
      };
      return this.resume(stopped.id, source, again).catch(async (error: unknown) => {
        if (!GONE.has(codeOf(error))) throw error;
        await this.#removeAt(stopped).catch(() => {});
        return this.seal(source, account, options, undefined, as);
      });
    }
    // A name that does not fit is refused before anything is made.
    encodeMetadata(metadata);

    tell("key", 0);
    const { key } = options;
    const edk = await (key === undefined ? this.#keys.take(account, signal) : this.#keys.again(key, signal));
    const place = { account, id };
    const { size } = metadata;
    if (!(source instanceof ReadableStream) && size <= this.#short)
      return this.#sendShort({ place, edk, follows }, source, metadata, { tell, signal, unsure });
    const { partSize } = await this.#begin(place);
    // One part is sealed again sooner than anybody could go on with it.
    const keep = options.resumable === true && source instanceof Blob && source.size > partSize;
    if (keep) options.onUpload?.({ ...place });
    return this.#send({ place, edk, partSize, keep, taken: new Map(), follows }, source, metadata, {
      total,
      tell,
      signal,
    });
  }

  /**
   * Seals a source as the next version of a document, which has its name and folder unless others are given. It is a document of its own, and the
   * one that it follows is an earlier version from then on. Error: `document-replaced` where that has one that follows it already.
   */
  async replace(id: string, source: Source, { account, ...options }: ReplaceOptions = {}): Promise<Document> {
    return this.#whereItIs(id, account, async (place) => {
      const { metadata } = await this.#openMetadata(place, options.signal);
      const { name, folder = "", type } = metadata;
      const series = { ...versionOf({ id, metadata }), after: id };
      series.version += 1;
      const named = {
        ...{ name, folder },
        type: (source instanceof Blob && source.type) || type,
        ...options,
      };
      return this.seal(source, place.account, named, undefined, { series, follows: true });
    });
  }

  /** Seals a short source in memory and stores it in one request. */
  async #sendShort(
    { place, edk, follows }: Pick<Upload, "place" | "edk" | "follows">,
    source: Exclude<Source, ReadableStream>,
    metadata: Metadata,
    { tell, signal, unsure }: Pick<SealOptions, "signal"> & { tell: Tell; unsure: Unsure | undefined },
  ): Promise<Document> {
    const { account, id } = place;
    let completing = false;
    let apart: SealedApart<Uint8Array<ArrayBuffer>> | undefined;
    try {
      signal?.throwIfAborted();
      tell("sealing", 0);
      const short = this.#short + SEALED_MORE;
      const keep = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => readAll(stream, short);
      const of = { edk, source, metadata, keep, signal, copied: true };
      apart = await this.sealApart(place, of);
      const { content: sealed, name: content, metadata: sealedMetadata, listed, opened } = apart;
      const { key } = opened;
      tell("finishing", metadata.size);
      signal?.throwIfAborted();
      completing = true;
      const body = {
        content: encodeBase64url(sealed),
        metadata: encodeBase64url(sealedMetadata),
        ...(listed && { listed }),
      };
      // The datastore answers it again as the first time.
      const repeated = { signal, tries: COMPLETIONS };
      const { size } = await callJson(this.#rest, storeDocument, place, body, repeated).catch(
        (error: unknown) => {
          // Another document has this id, or this one was deleted meanwhile: there is nothing to undo.
          if (codeOf(error) === "conflict") completing = false;
          throw error;
        },
      );
      if (size !== sealed.length) throw new CofferError("unexpected-response");
      this.#opened.set(nameOf(place), opened);
      const entered = await this.#enter(place, content, sealedMetadata, { ...metadata, follows });
      return this.#list.add({
        id,
        account,
        created: new Date(),
        sealedSize: size,
        metadata,
        key,
        ...entered,
      });
    } catch (error) {
      // Before its one request there is nothing to delete.
      if (!completing) throw signal?.aborted ? signal.reason : asCofferError(error);
      if (unsure && apart && !signal?.aborted && !isUndone(error)) {
        const told = unsure(place, apart, metadata);
        if (
          await told.then(
            () => true,
            () => false,
          )
        )
          throw new CofferError("offline", { cause: error });
      }
      throw await this.#undo(place, error, { completing, signal });
    }
  }

  /** Seals all that is stored of a document, and sends nothing. `copied`: with the copy of its metadata for the list, where there can be one now. */
  async sealApart<T>(
    place: Place,
    { edk, source, metadata, keep, signal, copied = false }: SealingApart<T>,
  ): Promise<SealedApart<T>> {
    const port = await this.#portWith(edk, signal);
    const context = this.#context(place.account, place.id, "document");
    const { name, stream } = await nameStream(port.seal({ edk, context }, source, { signal }));
    const opened = { metadata, content: name, key: edk === undefined ? undefined : documentKeyOf(edk) };
    const [content, sealed, listed] = await Promise.all([
      keep(stream),
      this.#sealMetadata(port, edk, place, { ...metadata, content: name }, signal),
      // Without its copy the list has its name a request later.
      copied ? this.listedCopy(place, opened).catch(() => undefined) : undefined,
    ]);
    return { content, name, metadata: sealed, listed, opened };
  }

  /** What the sealed metadata of a document says; its key is loaded where it is not. */
  async named(place: Place, sealed: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<Opened> {
    const known = this.#opened.get(nameOf(place));
    return known ?? this.#openSealed(await this.#microservice.use(), place, sealed, signal);
  }

  /** The copy of its metadata for the list; undefined where there can be none. */
  listedCopy(place: Place, opened: Opened): Promise<ListedCopy | undefined> {
    return this.#list.copy(place, opened);
  }

  /** The port to seal by, with this key: it was loaded into the release that ran then. */
  async #portWith(edk: string | undefined, signal: AbortSignal | undefined): Promise<PortClient> {
    const enrolled = await this.#microservice.use();
    if (edk !== undefined) await this.#keys.ensure(edk, signal, enrolled);
    return enrolled.port;
  }

  /** Seals a source on its way to the datastore, in parts, and completes the upload. */
  async #send(
    { place, edk, partSize, keep, taken, named: before, follows }: Upload,
    source: Source,
    metadata: Metadata,
    { total, tell, signal }: Pick<SealOptions, "signal"> & { total: number | undefined; tell: Tell },
  ): Promise<Document> {
    const { account, id } = place;
    const key = nameOf(place);
    let completing = false;
    this.#sending.add(key);
    try {
      signal?.throwIfAborted();
      tell("sealing", 0);
      const port = await this.#portWith(edk, signal);
      let read = 0;
      const input = counted(source, (bytes) => (read = bytes));
      const context = this.#context(account, id, "document");
      const sealed = port.seal({ edk, context, ...(keep && { keep }) }, input, { signal });
      const { name: content, stream } = await nameStream(sealed);
      if (before && !sameContent(before, content)) throw new CofferError("source-changed");
      const name = () => this.#putMetadata(port, edk, place, { ...metadata, content }, signal);
      // Where the size is known already, the name goes beside the content.
      const named = before ? Promise.resolve(undefined) : total === undefined ? undefined : name();
      named?.catch(() => {});
      const { parts, size } = await sendParts(stream, {
        partSize,
        inFlight: IN_FLIGHT,
        signal,
        send: async (part, body, either) => {
          const there = taken.get(part);
          // Sealed again it is the same, or nothing would have come.
          if (there?.size === body.size) return { part, etag: there.etag };
          const input = { ...place, part: String(part) };
          const options = { signal: either, ...(keep && { tries: KEPT_TRIES }) };
          const accepted = await callJson(this.#rest, uploadPart, input, body, options);
          if (accepted.part !== part) throw new CofferError("unexpected-response");
          return accepted;
        },
        // Ciphertext is a little longer than plaintext.
        onSent: (bytes) => tell("sealing", total === undefined ? bytes : Math.min(bytes, total)),
      });
      if (source instanceof ReadableStream) {
        if (total !== undefined && read !== total) throw new CofferError("source-changed");
        metadata.size = read;
      }
      tell("finishing", metadata.size);
      const sealedMetadata = await (named ?? name());
      const under = edk === undefined ? undefined : documentKeyOf(edk);
      const opened = { metadata, content, key: under };
      // Without its copy the list has its name a request later.
      const listed = await this.#list.copy(place, opened).catch(() => undefined);
      signal?.throwIfAborted();
      completing = true;
      // The datastore answers it again as the first time.
      const repeated = { signal, tries: COMPLETIONS };
      const completed = await callJson(
        this.#rest,
        completeUpload,
        place,
        { parts, size, ...(listed && { listed }) },
        repeated,
      );
      if (completed.size !== size) throw new CofferError("unexpected-response");
      this.#opened.set(key, opened);
      if (keep) void port.discard(context).catch(() => {});
      const entered = await this.#enter(place, content, sealedMetadata, { ...metadata, follows });
      const stored = { id, account, created: new Date(), sealedSize: size, metadata, key: under };
      return this.#list.add({ ...stored, ...entered });
    } catch (error) {
      if (keep && !completing && isInterruption(error, { signal, resumed: before !== undefined })) {
        if (source instanceof Blob) this.#stopped.set(source, place);
        throw signal?.aborted ? signal.reason : asCofferError(error);
      }
      throw await this.#undo(place, error, { completing, signal });
    } finally {
      this.#sending.delete(key);
    }
  }

  /** Uploads that were stopped, by a reload too, and can be gone on with here. Not those that this page has under way. */
  async unfinished(accounts: string[], { signal }: Pick<OpenOptions, "signal"> = {}): Promise<Unfinished[]> {
    const { port } = await this.#microservice.use();
    const found: Unfinished[] = [];
    // The vault knows first: where it keeps none, nobody else is asked.
    for (const context of await port.unfinished()) {
      const { account = "", document: id = "" } = context;
      const place = { account, id };
      if (!accounts.includes(account) || this.#sending.has(nameOf(place))) continue;
      const upload = await this.#readUpload(place, signal).catch(async (error: unknown) => {
        // Complete, or deleted: nobody goes on with it.
        if (ENDED.has(codeOf(error))) await port.discard(context);
        else if (!CLOSED.has(codeOf(error))) throw error;
      });
      // Stopped before its name was there, it cannot be shown to anybody.
      const opened = upload && (await this.#openMetadata(place, signal).catch(() => undefined));
      signal?.throwIfAborted();
      if (!opened) continue;
      const sent = upload.parts.reduce((sum, { size }) => sum + size, 0);
      found.push({ ...place, sent, metadata: opened.metadata });
    }
    return found;
  }

  #readUpload(place: Place, signal: AbortSignal | undefined): Promise<AnswerOf<typeof readUpload>> {
    return callJson(this.#rest, readUpload, place, undefined, { signal });
  }

  /** Goes on with an upload that was stopped: `source` is read from its beginning, and what the datastore has is not sent again. */
  async resume(
    id: string,
    source: Blob,
    { account, signal, onProgress }: OpenOptions = {},
  ): Promise<Document> {
    return this.#whereItIs(id, account, async (place) => {
      const upload = await this.#stoppedAt(place, signal);
      const { metadata } = upload;
      if (source.size !== metadata.size) throw new CofferError("another-file");
      const tell: Tell = (step, bytes) => onProgress?.({ step, bytes, total: metadata.size });
      const options = { total: metadata.size, tell, signal };
      return this.#send({ ...upload, keep: true }, source, metadata, options).catch((error: unknown) => {
        throw codeOf(error) === "source-changed" ? asCofferError(new CofferError("another-file")) : error;
      });
    });
  }

  async #stoppedAt(
    place: Place,
    signal: AbortSignal | undefined,
  ): Promise<Omit<Upload, "keep"> & { metadata: Metadata }> {
    const enrolled = await this.#microservice.use();
    const { port } = enrolled;
    const [{ partSize, parts }, sealed] = await Promise.all([
      this.#readUpload(place, signal),
      this.#sealedMetadata(place, signal),
    ]);
    const { metadata, content } = await this.#openSealed(enrolled, place, sealed, signal);
    const kept = (await port.unfinished()).some(({ account, document, purpose }) => {
      return account === place.account && document === place.id && purpose === "document";
    });
    if (!content || !kept) throw new CofferError("not-resumable");
    const { edk } = await port.inspect(sealed);
    return {
      place,
      edk: await this.#keys.again(edk, signal),
      partSize,
      taken: new Map(parts.map((one) => [one.part, one])),
      named: content,
      metadata,
      // What can be gone on with is no document that is sealed again.
      follows: metadata.series !== undefined,
    };
  }

  /** The EDK that a document's metadata is sealed under, as its header says it: its content is under the same. */
  async keyOf(
    id: string,
    { account, signal }: Pick<OpenOptions, "account" | "signal"> = {},
  ): Promise<string> {
    const sealed = await this.#whereItIs(id, account, (place) => this.#sealedMetadata(place, signal));
    const { port } = await this.#microservice.use();
    return (await port.inspect(sealed)).edk;
  }

  /** Opens a document. Its content streams in as it is read. */
  async open(id: string, { account, ...options }: OpenOptions = {}): Promise<OpenDocument> {
    const { signal, onProgress } = options;
    try {
      onProgress?.({ step: "key", bytes: 0, total: undefined });
      return await this.#whereItIs(id, account, (place) => this.#openAt(place, options));
    } catch (error) {
      throw signal?.aborted ? signal.reason : asCofferError(error);
    }
  }

  /** Opens a document of which parts are wanted. Nothing of its content is fetched but the header. */
  async openRanged(
    id: string,
    { account, signal }: Omit<OpenOptions, "onProgress"> = {},
  ): Promise<RangedDocument> {
    try {
      return await this.#whereItIs(id, account, (place) => this.#openRangedAt(place, signal));
    } catch (error) {
      throw signal?.aborted ? signal.reason : asCofferError(error);
    }
  }

  async #openRangedAt(place: Place, signal?: AbortSignal): Promise<RangedDocument> {
    const { content, metadata } = await this.#find(place, signal, HEAD);
    return rangedDocument(place, metadata, content, async (excerpt, source, signal) => {
      try {
        const enrolled = await this.#microservice.use();
        // The key may be gone since the last part.
        const { context } = await this.#loadFor(enrolled, content.head, place, "document", signal);
        return speaking(enrolled.port.open({ context, excerpt }, source, { signal, give: true }), signal);
      } catch (error) {
        source.cancel(error).catch(() => {});
        throw signal?.aborted ? signal.reason : asCofferError(error);
      }
    });
  }

  /** The beginning of a document's content, and its metadata. */
  async #find(
    place: Place,
    signal?: AbortSignal,
    range?: number,
  ): Promise<{ content: Content; metadata: Metadata }> {
    const [content, opened] = await Promise.all([
      fetchContent(contentOf(this.#rest, place), signal, range),
      this.#opened.get(nameOf(place)) ?? this.#openMetadata(place, signal),
    ]);
    // The microservice authenticates this very header before it gives a byte.
    if (opened.content && !sameContent(opened.content, await contentName(content.head))) {
      throw new CofferError("decrypt-failed");
    }
    return { content, metadata: opened.metadata };
  }

  /** Opens what is sealed and not stored yet, out of what is kept of it. */
  async openKept(
    place: Place,
    { content, metadata: sealed }: { content: Blob; metadata: Uint8Array<ArrayBuffer> },
    options: Pick<OpenOptions, "signal" | "onProgress">,
  ): Promise<OpenDocument> {
    const { metadata, content: named } = await this.named(place, sealed, options.signal);
    const head = new Uint8Array(await content.slice(0, HEAD).arrayBuffer());
    if (!named || !sameContent(named, await contentName(head))) throw new CofferError("decrypt-failed");
    const stream = () => content.stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
    return this.#openContent(place, { content: { head, stream }, metadata }, options);
  }

  async #openAt(place: Place, options: Pick<OpenOptions, "signal" | "onProgress">): Promise<OpenDocument> {
    return this.#openContent(place, await this.#find(place, options.signal), options);
  }

  async #openContent(
    place: Place,
    { content, metadata }: { content: Pick<Content, "head" | "stream">; metadata: Metadata },
    { signal, onProgress }: Pick<OpenOptions, "signal" | "onProgress">,
  ): Promise<OpenDocument> {
    const enrolled = await this.#microservice.use();
    const { context } = await this.#loadFor(enrolled, content.head, place, "document", signal);
    const plain = enrolled.port.open({ context }, content.stream(), { signal, give: true });
    return openStream(place, metadata, plain, { onProgress });
  }

  /** Where nobody says of which account a document is, each of the user's is asked for it. */
  async #whereItIs<T>(
    id: string,
    account: string | undefined,
    ask: (place: Place) => Promise<T>,
  ): Promise<T> {
    if (account !== undefined) return ask({ account, id });
    let missing: unknown = new CofferError("not-found");
    for (const each of this.#accounts()) {
      try {
        return await ask({ account: each, id });
      } catch (error) {
        if (!(error instanceof CofferError && error.code === "not-found")) throw error;
        missing = error;
      }
    }
    throw missing;
  }

  /**
   * Seals a document again under a new key, and deletes the old one when the new one is complete. Its id is another one. Until then
   * nothing changes; asked for again after a stop in between, it goes on. Errors as of `open` and `seal`.
   */
  async reEncrypt(
    id: string,
    { account, signal, onProgress, name }: ReEncryptOptions = {},
  ): Promise<Document> {
    await this.#forgetOlderKeys();
    const old = await this.open(id, { ...(account !== undefined && { account }), ...(signal && { signal }) });
    const place = { account: old.account, id };
    const next = await nextDocumentId(place, name);
    const options = {
      ...old,
      name: name ?? old.name,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    };
    const series = { ...versionOf({ id, metadata: old }), after: id };
    // A name that somebody gives to an older version would be lost behind the newest.
    const follows = name !== undefined;
    const again = this.seal(old.stream, old.account, options, next, { series, follows });
    const sealed = await again.catch((error: unknown) => {
      // Sealed again before, by one that was cut off then.
      if (codeOf(error) !== "conflict") throw error;
    });
    if (!sealed || sealed.state) return this.giveWay(id, next, { account: old.account, signal, follows });
    await this.#removeAt(place);
    return sealed;
  }

  /** Deletes a document alone, for the one as which it was sealed again. That opens, and stands in the version index first. */
  async giveWay(
    id: string,
    next: string,
    { account, signal, follows }: { account: string; signal?: AbortSignal | undefined; follows?: boolean },
  ): Promise<Document> {
    const place = { account, id: next };
    const { content, metadata } = await this.#find(place, signal, HEAD);
    await this.#enterStored(place, signal, { follows });
    await this.#removeAt({ account, id }, signal);
    return { ...place, created: new Date(), sealedSize: content.total, metadata };
  }

  /** An instance above level `data` goes on for a while with the version that it knows: it asks for the newest now. */
  async #forgetOlderKeys(): Promise<void> {
    const { port, instance } = await this.#microservice.use();
    if (instance.level !== undefined) await port.lock();
  }

  /** Ids and times alone; nothing is opened. */
  async listed(account: string, signal?: AbortSignal): Promise<Listed[]> {
    const rows = await this.#list.rows(account, signal);
    return rows.map(({ id, created }) => ({ id, account, created: new Date(created * 1000) }));
  }

  /** All of an account, one after the other in the background; goes on where an earlier call with the same `before` was stopped. */
  reEncryptAll(account: string, options: ReEncryptAllOptions = {}): Promise<ReEncryptProgress> {
    const lasting = new Set(["signed-out", "offline", "pending-deletion", "quota-exceeded"]);
    return reEncryptAll(this, account, options, (error) => lasting.has(codeOf(error)));
  }

  /** All complete documents of the user's accounts, newest first. Names come out of sealed metadata. */
  async list(accounts: string[], options: ListOptions = {}): Promise<Document[]> {
    const { onChange, deleted } = options;
    const listed = await this.#list[deleted ? "deleted" : "list"](accounts, {
      ...options,
      ...(onChange && { onChange: (documents) => onChange(grouped(documents)) }),
    });
    return grouped(listed);
  }

  /**
   * Deletes a document with its earlier versions, for good unless `days` are given; an earlier version alone. Error: `document-replaced` where it
   * was the newest in the list, or is to be among what was listed, and a newer one is there.
   */
  async remove(id: string, { account, ...options }: RemoveOptions = {}): Promise<void> {
    const { days, signal } = options;
    await this.#whereItIs(id, account, async (place) => {
      const earlier = await this.#earlierOf(place, options);
      // In the index all at once: nobody is to take an earlier version for the document.
      await Promise.all(earlier.map((one) => this.#index.remove(one.account, one.id)));
      const end = (one: Place, listed?: boolean) =>
        days === undefined ? this.#removeAt(one, signal, listed) : this.#schedule(one, days, signal, listed);
      for (const one of earlier.reverse())
        await end(one, false).catch((error: unknown) => {
          // Somebody else has deleted it: the others go all the same.
          if (codeOf(error) !== "not-found") throw error;
          this.#forget(one);
        });
      await end(place);
    });
  }

  /** The versions before the newest one, the latest first, as they are now; none of any other, or of one that does not open. */
  async #earlierOf(
    place: Place,
    { among, days, signal }: Omit<RemoveOptions, "account">,
  ): Promise<Document[]> {
    const { id, account } = place;
    let listed = among;
    let before: Document | undefined;
    if (!listed) {
      const known = this.#list.known(account);
      before = known.get(id);
      const newest = before && ofSeries(known.values(), before)[0];
      // An earlier one goes alone, and so does one that is unfinished.
      if (before && newest?.id !== id) return [];
      const opened =
        newest ??
        (await this.#openMetadata(place, signal).catch((error: unknown) => {
          if (isTransient(error)) throw error;
        }));
      // Another device may have saved a version after one that was listed, the first of them too.
      if (opened ? !(before || opened.metadata?.series) : days !== undefined) return [];
      // Nothing opens of what was deleted already, and goes for good now.
      listed = opened ? await this.#grouped(account, signal) : [];
    }
    let versions = versionsAmong(listed, place);
    if (versions.length === 0 && days === undefined)
      versions = versionsAmong(await this.#grouped(account, signal, true), place);
    const [newest, ...earlier] = versions;
    if (newest && newest.id !== id && (before || among)) throw said("document-replaced");
    if (newest?.id !== id) return [];
    // One of those whose names did not come may be an earlier one.
    const unread = listed.find((each) => isTransient(each.error));
    if (unread && newest.metadata?.series) throw unread.error;
    return earlier;
  }

  #grouped(account: string, signal: AbortSignal | undefined, deleted = false): Promise<Document[]> {
    return this.list([account], { deleted, ...(signal && { signal }) });
  }

  /** In the index first, as with a deletion for good. Asked for again, it ends when it was to end. */
  async #schedule(place: Place, days: number, signal: AbortSignal | undefined, listed = true): Promise<void> {
    if (listed) await this.#index.remove(place.account, place.id);
    await callJson(this.#rest, scheduleDocumentDeletion, place, { days }, { signal, tries: 3 });
    this.#forget(place);
  }

  /**
   * Takes back a deletion that was scheduled, and that of its earlier versions, which come first: what follows one that is deleted is no newest
   * version. Cut off in between, it can be asked for again.
   */
  async restore(id: string, { account, signal, among }: Omit<RemoveOptions, "days"> = {}): Promise<void> {
    await this.#whereItIs(id, account, async (place) => {
      const deleted = among ?? (await this.#grouped(place.account, signal, true));
      const versions = versionsAmong(deleted, place);
      const at = versions.findIndex((each) => each.id === id);
      // Its time has come, somebody has deleted it for good, or it does not open: it keeps none of the others.
      for (const one of versions.slice(at + 1).reverse())
        await this.#bringBack(one, signal).catch((error: unknown) => {
          if (isTransient(error)) throw error;
        });
      await this.#bringBack(place, signal);
    });
  }

  async #bringBack(place: Place, signal: AbortSignal | undefined): Promise<Opened> {
    await callEmpty(this.#rest, cancelDocumentDeletion, place, undefined, { signal, tries: 3 });
    return this.#enterStored(place, signal).catch(async (error: unknown) => {
      if (codeOf(error) !== "conflict") throw error;
      // It stands already: somebody else has brought it back, or this a time before.
      return this.#openMetadata(place, signal);
    });
  }

  #forget(place: Place): void {
    this.#opened.delete(nameOf(place));
    this.#list.forget(place);
  }

  /** `listed`: it may have been, so that the version index has to know first that nobody hides it. */
  async #removeAt({ account, id }: Place, signal?: AbortSignal, listed = true): Promise<void> {
    if (listed) await this.#index.remove(account, id);
    await callEmpty(this.#rest, deleteDocument, { account, id }, undefined, { signal }).catch(
      (error: unknown) => {
        // Repeated after a lost answer: what no longer exists was deleted by the first try.
        if (!(error instanceof CofferError && error.code === "not-found" && error.maybeDone)) throw error;
      },
    );
    this.#forget({ account, id });
  }

  /** Opens an upload. Without the caller's signal: if the answer were lost, nobody could delete what was begun. */
  async #begin({ account, id }: Place): Promise<UploadOpened> {
    try {
      // The datastore answers it again as the first time.
      const opened = await callJson(this.#rest, openUpload, { account }, { id }, { tries: 3 });
      if (opened.id !== id) throw new CofferError("unexpected-response");
      return opened;
    } catch (error) {
      if (error instanceof CofferError && error.maybeDone && error.code !== "conflict")
        await this.#removeAt({ account, id }, undefined, false).catch(() => {});
      throw asCofferError(error);
    }
  }

  /**
   * Ends a seal that has failed, and gives the error to throw. What was begun is deleted, without the caller's signal: this
   * must run although the caller has cancelled. What may be complete is deleted only then.
   */
  async #undo(
    place: Place,
    error: unknown,
    { completing, signal }: { completing: boolean; signal: AbortSignal | undefined },
  ): Promise<unknown> {
    const unknown = (cause: unknown) => new CofferError("unknown-whether-stored", { cause });
    if (completing && !signal?.aborted && !isUndone(error)) return unknown(error);
    const left = await this.#removeAt(place, undefined, completing).catch((cause: unknown) => cause);
    const gone = left === undefined || (left instanceof CofferError && left.code === "not-found");
    if (completing && !gone) return unknown(left);
    return signal?.aborted ? signal.reason : asCofferError(error);
  }

  async #putMetadata(
    port: PortClient,
    edk: string | undefined,
    { account, id }: Place,
    metadata: SealedMetadata,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const body = await this.#sealMetadata(port, edk, { account, id }, metadata, signal);
    await callEmpty(this.#rest, putMetadata, { account, id }, body, { signal });
    return body;
  }

  /**
   * Enters a document in the version index, once it is stored: nobody is told that it is hidden before it is there. Without the caller's
   * signal: it is stored, and without its row it is unfinished.
   */
  async #enter(
    place: Place,
    content: ContentName,
    sealed: Uint8Array<ArrayBuffer> | undefined,
    { series, follows }: { series?: Series; follows: boolean },
  ): Promise<Pick<Document, "state">> {
    try {
      await this.#enterAs(series, (lead) => this.enter(place, content, sealed, lead), { follows });
      return {};
    } catch (error) {
      // Refused by the KMS: what was stored goes.
      const code = codeOf(error);
      if (follows && (code === "document-replaced" || code === "not-found")) throw error;
      return { state: "unfinished" };
    }
  }

  /** As the newest version; unless it has to be (`follows`), after the one that `instead` names, or as one of the others. */
  async #enterAs(
    series: Series | undefined,
    enter: (lead?: Omit<Lead, "document">) => Promise<void>,
    { follows, instead }: EnteredAs,
  ): Promise<void> {
    try {
      await enter(series && { first: series.first, over: series.after });
    } catch (error) {
      const code = codeOf(error);
      // Another is the newest, or the one that is to be followed was deleted.
      if (!series || (code !== "conflict" && code !== "not-found")) throw error;
      if (follows) throw code === "conflict" ? said("document-replaced", error, 409) : error;
      const after = await instead?.(series);
      await (after ? this.#enterAs({ ...series, after }, enter, {}) : enter());
    }
  }

  /** The same, for who tries again. Errors: `offline`, `conflict`, … */
  async enter(
    { account, id }: Place,
    content: ContentName,
    metadata: Uint8Array<ArrayBuffer> | undefined,
    lead?: Omit<Lead, "document">,
  ): Promise<void> {
    const standing: Standing = { document: id, ...content };
    if (metadata) standing.metadataDigest = await digest(metadata);
    await this.#index.enter(account, standing, lead && { document: id, ...lead });
  }

  /**
   * Enters a document that is stored and not in the version index: its sealing was cut off before that, or an older program has sealed it.
   * It is opened first. Errors as of `open`, and `forbidden`.
   */
  async finish(id: string, { account, signal }: RemoveOptions = {}): Promise<void> {
    try {
      await this.#whereItIs(id, account, async (place) => {
        // What it was to follow may have been sealed again since: the next one of what is listed.
        const instead = async (series: Series) => {
          const all = await this.#grouped(place.account, signal);
          const [newest] = ofSeries(all, { ...place, id: series.first });
          if (newest && versionOf(newest).version < series.version) return newest.id;
        };
        await this.#enterStored(place, signal, { instead });
      });
    } catch (error) {
      throw signal?.aborted ? signal.reason : asCofferError(error);
    }
  }

  /** Of what stands in the index nothing counts: it says that the document is deleted, or nothing at all. */
  async #enterStored(place: Place, signal: AbortSignal | undefined, as: EnteredAs = {}): Promise<Opened> {
    const sealed = await this.#sealedMetadata(place, signal);
    const enrolled = await this.#microservice.use();
    const opened = await this.#openUnchecked(enrolled, place, sealed, signal);
    const standing = { document: place.id, ...opened.content, metadataDigest: await digest(sealed) };
    const enter = (lead?: Omit<Lead, "document">) =>
      this.#index.enter(place.account, standing, lead && { document: place.id, ...lead });
    await this.#enterAs(opened.metadata.series, enter, as);
    return opened;
  }

  #sealMetadata(
    port: PortClient,
    edk: string | undefined,
    { account, id }: Place,
    metadata: SealedMetadata,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const context = this.#context(account, id, "metadata");
    return readAll(port.seal({ edk, context }, encodeMetadata(metadata), { signal }), METADATA_LIMIT);
  }

  async #openMetadata(place: Place, signal: AbortSignal | undefined): Promise<Opened> {
    const sealed = await this.#sealedMetadata(place, signal);
    return this.#openSealed(await this.#microservice.use(), place, sealed, signal);
  }

  #sealedMetadata({ account, id }: Place, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    const read = async (response: Response) => {
      if (response.status !== 200) throw await unread(response);
      return octetsOf(response, METADATA_LIMIT);
    };
    return callOctets(this.#rest, readMetadata, { account, id }, read, { signal });
  }

  async #openSealed(
    enrolled: EnrolledMicroservice,
    place: Place,
    sealed: Uint8Array<ArrayBuffer>,
    signal: AbortSignal | undefined,
  ): Promise<Opened> {
    const opened = await this.#openUnchecked(enrolled, place, sealed, signal);
    const { account, id } = place;
    const served = {
      ...(opened.content && { headerDigest: opened.content.headerDigest }),
      metadataDigest: await digest(sealed),
    };
    await this.#index.check(account, { document: id, ...served });
    this.#opened.set(nameOf({ account, id }), opened);
    return opened;
  }

  /** Whatever the version index says of it. */
  async #openUnchecked(
    enrolled: EnrolledMicroservice,
    { account, id }: Place,
    sealed: Uint8Array<ArrayBuffer>,
    signal: AbortSignal | undefined,
  ): Promise<Opened> {
    const place = { account, id };
    const { context, edk } = await this.#loadFor(enrolled, sealed, place, "metadata", signal);
    const plain = await readAll(enrolled.port.open({ context }, sealed, { signal }), METADATA_LIMIT);
    const { content, ...metadata } = decodeMetadata(plain);
    // A document that was sealed with this id has metadata of the newer form, whatever the datastore has instead.
    if (!content && namesContent(id)) throw new CofferError("decrypt-failed");
    return { metadata, content, key: documentKeyOf(edk) };
  }

  /**
   * Loads the key that a message's header names, and gives the context that the message must have: of the account that was
   * asked for. The header is not authenticated yet; the microservice compares it with this context when it opens.
   */
  async #loadFor(
    enrolled: EnrolledMicroservice,
    head: Uint8Array,
    { account, id }: Place,
    purpose: "document" | "metadata",
    signal: AbortSignal | undefined,
  ): Promise<{ context: DocumentContext; edk: string }> {
    const { edk, context } = await enrolled.port.inspect(head);
    const expected = this.#context(account, id, purpose);
    for (const [key, value] of Object.entries(expected)) {
      if (context[key] !== value) throw new CofferError("decrypt-failed");
    }
    await this.#keys.ensure(edk, signal, enrolled);
    return { context: expected, edk };
  }

  #context(account: string, document: string, purpose: string): DocumentContext {
    return { tenant: this.#tenant(), account, document, purpose };
  }
}

/** Whether what was sent stays. A source that is not as it was cannot be gone on with, unless the right one is given later. */
function isInterruption(
  error: unknown,
  { signal, resumed }: { signal: AbortSignal | undefined; resumed: boolean },
): boolean {
  if (signal?.aborted) return codeOf(signal.reason) === "paused";
  return (
    isTransient(error) || INTERRUPTIONS.has(codeOf(error)) || (resumed && codeOf(error) === "source-changed")
  );
}

/** What is said of a source beside it. */
export function describe(source: Source, options: SealOptions): Metadata {
  const file = source instanceof File ? source : undefined;
  const modified = options.modified ?? file?.lastModified;
  const folder = cleanFolder(options.folder ?? "");
  return {
    name: cleanName(options.name ?? file?.name ?? "document"),
    type: cleanType(options.type ?? (source instanceof Blob ? source.type : "")),
    size: sizeOf(source) ?? options.size ?? 0,
    ...(modified === undefined ? {} : { modified }),
    ...(folder === "" ? {} : { folder }),
  };
}

function sizeOf(source: Source): number | undefined {
  if (source instanceof Blob) return source.size;
  return source instanceof Uint8Array ? source.length : undefined;
}
