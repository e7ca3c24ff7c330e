/**
 * Uploads that wait for the network (M18): sealed at once under a key that is loaded, kept by the host as ciphertext, and sent when the
 * datastore can be reached. What is sent is what was sealed, so sending needs no key.
 */

import { encodeBase64url } from "#protocol/base64url.ts";
import {
  completeUpload,
  openUpload,
  putMetadata,
  readUpload,
  storeDocument,
  uploadPart,
} from "#protocol/contract/index.ts";
import { CofferError, codeOf, type ErrorCode } from "#protocol/error.ts";
import { createDocumentId } from "./belonging.ts";
import { blobOf } from "./blob.ts";
import { callEmpty, callJson } from "./call.ts";
import type { Document } from "./document-list.ts";
import {
  type Documents,
  describe,
  IN_FLIGHT,
  type OpenDocument,
  type OpenOptions,
  type SealOptions,
  SHORT_SEALED,
} from "./documents.ts";
import { asCofferError, isTransient } from "./error.ts";
import { ASKED_AT_ONCE, inTurns } from "./in-turns.ts";
import { type DataKeys, findsKeys } from "./keys.ts";
import { encodeMetadata, type Metadata } from "./metadata.ts";
import type { Microservice } from "./microservice.ts";
import { sendParts } from "./parts.ts";
import type { RestClient } from "./rest.ts";
import { requireRoom, type UploadStore, type WaitingUpload } from "./upload-store.ts";

/** Keys that are had loaded for documents which are sealed without the network. */
const READY = 8;
/** Tries again after a failure that may pass: the first time after so long, then twice as long each time. Milliseconds. */
const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 5 * 60_000;
/** What ends by itself or by the person, beside what `isTransient` says; the next sign-in goes on. */
const ENDED: ReadonlySet<ErrorCode> = new Set(["signed-out", "no-session", "invalid-token"]);

/** An upload that waits, as it can be shown. */
export interface Queued {
  id: string;
  account: string;
  /** When it was sealed. */
  created: Date;
  /** Bytes of ciphertext, and how many of them the datastore has taken since this page sends it. */
  size: number;
  sent: number;
  /** Whether this page sends it now; another tab may. */
  sending: boolean;
  /** Undefined where its key is not loaded here and cannot be now. */
  metadata: Metadata | undefined;
  /** Why it is not sent again by itself: `send` tries again, `cancel` gives it up. */
  refused: ErrorCode | undefined;
}

export interface UploadQueueOptions {
  store: UploadStore;
  rest: Pick<RestClient, "json" | "send">;
  microservice: Pick<Microservice, "use">;
  keys: Pick<DataKeys, "have" | "ready" | "take">;
  documents: Pick<Documents, "seal" | "sealApart" | "named" | "openKept" | "listedCopy" | "enter" | "remove">;
  /** Whose uploads these are. Error: `signed-out`. */
  owner: () => string;
  now: () => number;
  /** Told when anything of `list` has changed; with the id of what was sent, here or by something else of this host. */
  onChange?: ((sent?: string) => void) | undefined;
}

type QueueOptions = Pick<SealOptions, "name" | "type" | "modified" | "folder" | "signal" | "onProgress">;
/** What is kept of an upload, beside where and when. */
type Kept = Pick<WaitingUpload, "metadata" | "asked"> & {
  content: Blob;
  name: WaitingUpload["content"];
  listed?: WaitingUpload["listed"] | undefined;
};
type Sending = { id: string; sent: number; stop: AbortController };

export class UploadQueue {
  readonly #options: UploadQueueOptions;
  /** What was opened of their metadata, while this page lives. Never written to storage. */
  readonly #named = new Map<string, Metadata>();
  /** Sources whose upload has begun: by another id they would be stored beside it. */
  readonly #begun = new WeakSet<object>();
  /** The last that was tried found no network. */
  #away = false;
  #sending: Sending | undefined;
  #going = false;
  #more = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins to send what an earlier page has left. */
  constructor(options: UploadQueueOptions) {
    this.#options = options;
    options.store.onChange?.((sent) => this.#changed(sent));
    options.store.onWake?.(() => this.#wake());
    this.#wake();
  }

  /** Has keys loaded by which documents of this account are sealed without the network. They serve for eight hours. Errors: `offline`, `forbidden`. */
  async prepare(account: string): Promise<void> {
    const { store, keys, microservice } = this.#options;
    const owner = this.#options.owner();
    const enrolled = await microservice.use();
    if (findsKeys(enrolled)) return;
    const kept = await store.keys(owner, account);
    const loaded = await Promise.all(inTurns(kept, ASKED_AT_ONCE, (edk) => enrolled.port.has(edk)));
    const missing = READY - loaded.filter(Boolean).length;
    if (2 * missing <= READY) return;
    // Of an instance that is not there any more, or loaded too long ago: they serve nobody.
    const ended = kept.filter((_, at) => !loaded[at]);
    await store.keepKeys(owner, account, await keys.ready(account, missing), ended);
  }

  /**
   * Seals a source and stores it, as the kit's `seal` does. Where there is no network, or none any more before it is known to be stored, it
   * waits here. What has begun and can be gone on with (`resumable`) is not put here, and what does not fit is tried all the same, since the
   * network may be back. Errors: as of `seal`, and of `add` where it would wait.
   */
  async seal(
    source: Blob | Uint8Array<ArrayBuffer>,
    account: string,
    options: QueueOptions & Pick<SealOptions, "resumable" | "onUpload"> = {},
  ): Promise<{ stored: Document } | { waits: Queued }> {
    const { store, documents } = this.#options;
    if (!this.#begun.has(source) && (this.#away || store.isAway?.())) {
      const waits = await this.add(source, account, options).catch((error: unknown) => {
        if (codeOf(error) !== "queue-full") throw error;
      });
      if (waits) return { waits };
    }
    const owner = this.#options.owner();
    const come: { waits?: Queued } = {};
    try {
      const stored = await documents.seal(source, account, {
        ...options,
        onUpload: (upload) => {
          this.#begun.add(source);
          options.onUpload?.(upload);
        },
        // It is asked for again as the same, until somebody knows.
        unsure: async (place, { content, metadata, ...sealed }, described) => {
          const kept = { ...sealed, metadata, content: new Blob([content]), asked: true } as const;
          come.waits = await this.#keep(owner, place, described, kept);
        },
      });
      this.#begun.delete(source);
      return { stored };
    } catch (error) {
      const { waits } = come;
      if (waits) return { waits };
      if (this.#begun.has(source) || codeOf(error) !== "offline") throw error;
      return { waits: await this.add(source, account, options) };
    }
  }

  /**
   * Seals a source and puts it into the queue; resolves once it is there, with the network or without. Errors: `queue-full`, `offline` where
   * no key is loaded and none can be had, `name-too-long`, and as of `seal`.
   */
  async add(
    source: Blob | Uint8Array<ArrayBuffer>,
    account: string,
    options: QueueOptions = {},
  ): Promise<Queued> {
    const { store, documents } = this.#options;
    const { signal, onProgress } = options;
    const metadata = describe(source, options);
    encodeMetadata(metadata);
    const owner = this.#options.owner();
    // Before anything is sealed for nothing; the store looks again.
    requireRoom(await store.rows(owner), metadata.size);
    const edk = await this.#key(owner, account, signal);
    onProgress?.({ step: "sealing", bytes: 0, total: metadata.size });
    const place = { account, id: createDocumentId() };
    const keep = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => blobOf(stream, "");
    const sealed = await documents.sealApart(place, { edk, source, metadata, keep, signal });
    signal?.throwIfAborted();
    const { content, name, metadata: message } = sealed;
    return this.#keep(owner, place, metadata, { content, name, metadata: message });
  }

  async #keep(
    owner: string,
    place: { id: string; account: string },
    described: Metadata,
    { content, name, metadata, listed, asked }: Kept,
  ): Promise<Queued> {
    const { store, now } = this.#options;
    // Signed out, or somebody else by now.
    if (this.#options.owner() !== owner) throw new CofferError("signed-out");
    const row: WaitingUpload = {
      ...place,
      ...{ created: now(), size: content.size, metadata, content: name },
      ...(listed && { listed }),
      ...(asked && { asked }),
    };
    await store.add(owner, row, content);
    this.#named.set(row.id, described);
    this.#changed();
    this.#wake();
    void this.prepare(place.account).catch(() => {});
    return this.#shown(row);
  }

  /** What waits, oldest first; whatever of it can be opened now. */
  async list(): Promise<Queued[]> {
    const all = await this.#options.store.rows(this.#options.owner());
    const rows = all.filter(({ cancelled }) => !cancelled);
    const unnamed = rows.filter(({ id }) => !this.#named.has(id));
    // Without a vault nobody reads their names, and they can be given up all the same.
    if (unnamed.length > 0) await this.#name(unnamed).catch(() => {});
    return rows.map((row) => this.#shown(row));
  }

  async #name(rows: readonly WaitingUpload[]): Promise<void> {
    const { documents, keys, microservice } = this.#options;
    const { port } = await microservice.use();
    const headers = await Promise.all(inTurns(rows, ASKED_AT_ONCE, ({ metadata }) => port.inspect(metadata)));
    const loaded = await keys.have([...new Set(headers.map(({ edk }) => edk))]);
    for (const [at, row] of rows.entries()) {
      if (!loaded.has(headers[at]?.edk ?? "")) continue;
      const opened = await documents.named(row, row.metadata).catch(() => undefined);
      if (opened) this.#named.set(row.id, opened.metadata);
    }
  }

  /** Opens one that waits, out of what is kept here: its key may be loaded still, and where it is not, it is asked for. Errors: `not-found`, `offline`, `decrypt-failed`. */
  async open(id: string, options: Pick<OpenOptions, "signal" | "onProgress"> = {}): Promise<OpenDocument> {
    const { store, documents } = this.#options;
    const owner = this.#options.owner();
    const row = await this.#row(owner, id);
    const content = await store.content(owner, id);
    // Sent meanwhile.
    if (!content) throw new CofferError("not-found");
    const { account, metadata } = row;
    return documents.openKept({ account, id }, { content, metadata }, options);
  }

  async #row(owner: string, id: string): Promise<WaitingUpload> {
    const row = (await this.#options.store.rows(owner)).find((each) => each.id === id && !each.cancelled);
    if (!row) throw new CofferError("not-found");
    return row;
  }

  /** Sends what waits, what was refused as well, whatever the host says of the network. Resolves when all has been tried; errors: of what may pass, `offline` say, and `signed-out`. */
  async send(): Promise<void> {
    const { store } = this.#options;
    const owner = this.#options.owner();
    for (const { id, refused } of await store.rows(owner))
      if (refused) await store.update(owner, id, { refused: undefined });
    await store.alone(() => this.#sendAll(owner));
    this.#away = false;
  }

  /** Gives an upload up, with the network or without: what may be stored already is deleted there as soon as that can be. Error: `not-found`. */
  async cancel(id: string): Promise<void> {
    const { store } = this.#options;
    const owner = this.#options.owner();
    const row = await this.#row(owner, id);
    if (this.#sending?.id === id) this.#sending.stop.abort(new CofferError("cancelled"));
    // Another tab may ask for it meanwhile.
    if (row.asked || (await store.remove(owner, id, "unasked"))?.asked) {
      // Before anything else: should this page end now, it is not sent.
      await store.update(owner, id, { cancelled: true });
      this.#wake();
    }
    this.#changed();
  }

  /** What may be stored. */
  async #deleteAt({ id, account }: WaitingUpload): Promise<void> {
    await this.#options.documents.remove(id, { account }).catch((error: unknown) => {
      if (codeOf(error) !== "not-found") throw asCofferError(error);
    });
  }

  /** Ends: the person signs out. */
  async clear(owner: string | undefined): Promise<void> {
    clearTimeout(this.#timer);
    this.#sending?.stop.abort(new CofferError("signed-out"));
    this.#named.clear();
    await this.#options.store.clear(owner);
  }

  /** A key that is loaded and that no document has; undefined for an instance that finds keys itself. */
  async #key(owner: string, account: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { store, keys, microservice } = this.#options;
    const enrolled = await microservice.use();
    if (findsKeys(enrolled)) return undefined;
    for (;;) {
      const edk = await store.takeKey(owner, account);
      if (edk === undefined) return keys.take(account, signal);
      // Loaded into an instance that is not there any more, or too long ago: it stays unused.
      if (await enrolled.port.has(edk)) return edk;
    }
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#failures = 0;
    this.#go();
  }

  #go(): void {
    this.#more = true;
    if (!this.#going) void this.#run();
  }

  async #run(): Promise<void> {
    this.#going = true;
    while (this.#more) {
      this.#more = false;
      try {
        const owner = this.#options.owner();
        const { store } = this.#options;
        // What is asked for may be stored: nothing is asked where nobody can hear it.
        if (store.isAway?.()) throw new CofferError("offline");
        await store.alone(() => this.#sendAll(owner));
        this.#failures = 0;
        this.#away = false;
      } catch (error) {
        this.#away = codeOf(error) === "offline";
        if (!ENDED.has(codeOf(error))) this.#later();
      }
    }
    this.#going = false;
  }

  #later(): void {
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failures++, LONGEST_PAUSE) * (0.75 + Math.random() / 2);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#go(), pause);
    // What waits is no reason for a process to stay.
    (this.#timer as { unref?(): void }).unref?.();
  }

  /** Each that is not refused, also what comes meanwhile. Throws what may pass. */
  async #sendAll(owner: string): Promise<void> {
    const tried = new Set<string>();
    let failed: unknown;
    for (;;) {
      const rows = (await this.#options.store.rows(owner)).filter(
        ({ id, refused, cancelled }) => (cancelled || !refused) && !tried.has(id),
      );
      for (const row of rows) {
        tried.add(row.id);
        failed = (await this.#sendOne(owner, row)) ?? failed;
      }
      if (rows.length > 0) continue;
      if (failed !== undefined) throw failed;
      return;
    }
  }

  /** Answers what may pass and is of this one alone, as far as is known; throws where others would fare no better. */
  async #sendOne(owner: string, row: WaitingUpload): Promise<unknown> {
    const { store } = this.#options;
    const stop = new AbortController();
    this.#sending = { id: row.id, sent: 0, stop };
    this.#changed();
    try {
      if (!row.cancelled) {
        await this.#send(owner, row, stop.signal);
        const sent = await store.remove(owner, row.id, "sent");
        // Given up in another tab meanwhile: it stays here until it is deleted there.
        if (sent?.cancelled) row.cancelled = true;
        else if (sent) this.#changed(row.id);
      }
      if (row.cancelled) {
        await this.#deleteAt(row);
        await store.remove(owner, row.id);
      }
    } catch (error) {
      if (stop.signal.aborted) return undefined;
      const code = codeOf(error);
      if (code === "offline" || ENDED.has(code)) throw error;
      if (isTransient(error)) return error;
      if (row.cancelled) await store.remove(owner, row.id);
      // Of an account that is not the user's any more as well: there is no other copy.
      else await store.update(owner, row.id, { refused: code });
    } finally {
      this.#sending = undefined;
      this.#changed();
    }
    return undefined;
  }

  /** In the order of 0082: the content is stored and listed, then its row stands in the index. Each step can be repeated. */
  async #send(owner: string, row: WaitingUpload, signal: AbortSignal): Promise<void> {
    const { store, rest, documents } = this.#options;
    const { account, id } = row;
    const place = { account, id };
    const content = await store.content(owner, id);
    if (content?.size !== row.size) throw new CofferError("source-changed");
    if (!row.asked) {
      const listed = await this.#copy(row);
      if (listed) row.listed = listed;
      if (content.size > SHORT_SEALED) row.parts = await this.#sendParts(row, content, signal);
      row.asked = true;
      // What is asked for again is the same, byte for byte: only then it is answered as the first time.
      const there = await store.update(owner, id, { listed: row.listed, parts: row.parts, asked: true });
      if (!there) throw new CofferError("not-found");
    }
    signal.throwIfAborted();
    const { listed, parts, size } = row;
    const named = listed ? { listed } : {};
    const repeated = { signal, tries: 3 };
    if (parts) {
      const completed = await callJson(
        rest,
        completeUpload,
        place,
        { parts, size, ...named },
        repeated,
      ).catch(async (error: unknown) => {
        // After a day the datastore has forgotten what it had of it.
        if (codeOf(error) !== "not-found") throw error;
        await store.update(owner, id, { asked: undefined, parts: undefined });
        throw new CofferError("offline", { cause: error });
      });
      if (completed.size !== size) throw new CofferError("unexpected-response");
    } else {
      const whole = encodeBase64url(new Uint8Array(await content.arrayBuffer()));
      const body = { content: whole, metadata: encodeBase64url(row.metadata), ...named };
      const stored = await callJson(rest, storeDocument, place, body, repeated);
      if (stored.size !== size) throw new CofferError("unexpected-response");
    }
    await documents.enter(place, row.content, row.metadata);
  }

  async #sendParts(row: WaitingUpload, content: Blob, signal: AbortSignal) {
    const { rest } = this.#options;
    const { account, id } = row;
    const place = { account, id };
    const begun = await callJson(rest, readUpload, place, undefined, { signal }).catch((error: unknown) => {
      if (codeOf(error) !== "not-found") throw error;
    });
    const { partSize } = begun ?? (await callJson(rest, openUpload, { account }, { id }, { tries: 3 }));
    const taken = new Map(begun?.parts.map((one) => [one.part, one]));
    const { parts } = await sendParts(content.stream() as ReadableStream<Uint8Array<ArrayBuffer>>, {
      partSize,
      inFlight: IN_FLIGHT,
      signal,
      send: async (part, body, either) => {
        const there = taken.get(part);
        if (there?.size === body.size) return { part, etag: there.etag };
        const accepted = await callJson(rest, uploadPart, { ...place, part: String(part) }, body, {
          signal: either,
        });
        if (accepted.part !== part) throw new CofferError("unexpected-response");
        return accepted;
      },
      onSent: (bytes) => {
        if (this.#sending?.id === id) this.#sending.sent = bytes;
        this.#changed();
      },
    });
    await callEmpty(rest, putMetadata, place, row.metadata, { signal });
    return parts;
  }

  /** Without its copy the list has its name a request later. */
  async #copy(row: WaitingUpload) {
    const { documents } = this.#options;
    return documents
      .named(row, row.metadata)
      .then((opened) => documents.listedCopy(row, opened))
      .catch(() => undefined);
  }

  #shown({ id, account, created, size, refused }: WaitingUpload): Queued {
    const sending = this.#sending?.id === id;
    const sent = sending ? (this.#sending?.sent ?? 0) : 0;
    const metadata = this.#named.get(id);
    return { id, account, created: new Date(created), size, sent, sending, metadata, refused };
  }

  #changed(sent?: string): void {
    this.#options.onChange?.(sent);
  }
}
