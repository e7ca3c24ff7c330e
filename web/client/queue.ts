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
import { type Documents, describe, IN_FLIGHT, type SealOptions, SHORT_SEALED } from "./documents.ts";
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
  documents: Pick<Documents, "sealApart" | "named" | "listedCopy" | "enter" | "remove">;
  /** Whose uploads these are. Error: `signed-out`. */
  owner: () => string;
  /** The user's accounts as they are now, asked for anew. */
  accounts: () => Promise<readonly { id: string }[]>;
  now: () => number;
  /** Told when anything of `list` has changed. */
  onChange?: (() => void) | undefined;
}

type QueueOptions = Pick<SealOptions, "name" | "type" | "modified" | "folder" | "signal">;
type Sending = { id: string; sent: number; stop: AbortController };

export class UploadQueue {
  readonly #options: UploadQueueOptions;
  #sending: Sending | undefined;
  #going = false;
  #more = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins to send what an earlier page has left. */
  constructor(options: UploadQueueOptions) {
    this.#options = options;
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
   * Seals a source and puts it into the queue; resolves once it is there, with the network or without. Errors: `queue-full`, `offline` where
   * no key is loaded and none can be had, `name-too-long`, and as of `seal`.
   */
  async add(
    source: Blob | Uint8Array<ArrayBuffer>,
    account: string,
    options: QueueOptions = {},
  ): Promise<Queued> {
    const { store, documents, now } = this.#options;
    const { signal } = options;
    const metadata = describe(source, options);
    encodeMetadata(metadata);
    const owner = this.#options.owner();
    // Before anything is sealed for nothing; the store looks again.
    requireRoom(await store.rows(owner), metadata.size);
    const edk = await this.#key(owner, account, signal);
    const place = { account, id: createDocumentId() };
    const keep = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => blobOf(stream, "");
    const sealed = await documents.sealApart(place, { edk, source, metadata, keep, signal });
    signal?.throwIfAborted();
    // Signed out, or somebody else by now.
    if (this.#options.owner() !== owner) throw new CofferError("signed-out");
    const { content, name, metadata: message } = sealed;
    const row: WaitingUpload = {
      ...place,
      created: now(),
      size: content.size,
      metadata: message,
      content: name,
    };
    await store.add(owner, row, content);
    this.#changed();
    this.#wake();
    void this.prepare(account).catch(() => {});
    return this.#shown(row, metadata);
  }

  /** What waits, oldest first. */
  async list(): Promise<Queued[]> {
    const { store, documents, keys, microservice } = this.#options;
    const rows = await store.rows(this.#options.owner());
    if (rows.length === 0) return [];
    const { port } = await microservice.use();
    const headers = await Promise.all(inTurns(rows, ASKED_AT_ONCE, ({ metadata }) => port.inspect(metadata)));
    const loaded = await keys.have([...new Set(headers.map(({ edk }) => edk))]);
    const shown: Queued[] = [];
    for (const [at, row] of rows.entries()) {
      const named = loaded.has(headers[at]?.edk ?? "") ? documents.named(row, row.metadata) : undefined;
      shown.push(this.#shown(row, (await named?.catch(() => undefined))?.metadata));
    }
    return shown;
  }

  /** Sends what waits, what was refused as well. Resolves when all has been tried; errors: of what may pass, `offline` say, and `signed-out`. */
  async send(): Promise<void> {
    const { store } = this.#options;
    const owner = this.#options.owner();
    for (const { refused, ...row } of await store.rows(owner)) if (refused) await store.update(owner, row);
    await store.alone(() => this.#sendAll(owner));
  }

  /** Gives an upload up. Errors: `not-found`; `offline` and the like where it may be stored already, so that it has to be deleted there. */
  async cancel(id: string): Promise<void> {
    const { store } = this.#options;
    const owner = this.#options.owner();
    const row = (await store.rows(owner)).find((each) => each.id === id);
    if (!row) throw new CofferError("not-found");
    if (this.#sending?.id === id) this.#sending.stop.abort(new CofferError("cancelled"));
    if (row.asked) await this.#deleteAt(row);
    const removed = await store.remove(owner, id);
    // Another tab has come so far meanwhile.
    if (removed?.asked && !row.asked) await this.#deleteAt(row);
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
        await this.#options.store.alone(() => this.#sendAll(owner));
        this.#failures = 0;
      } catch (error) {
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
        ({ id, refused }) => !refused && !tried.has(id),
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
    try {
      await this.#send(owner, row, stop.signal);
      await store.remove(owner, row.id);
    } catch (error) {
      if (stop.signal.aborted) return undefined;
      const code = codeOf(error);
      if (code === "offline" || ENDED.has(code)) throw error;
      if (isTransient(error)) return error;
      if (await this.#isGone(row.account, code)) await store.remove(owner, row.id);
      else await store.update(owner, { ...row, refused: code });
    } finally {
      this.#sending = undefined;
      this.#changed();
    }
    return undefined;
  }

  /** Whether the account is not the user's any more, or nobody's: then nobody waits for it. */
  async #isGone(account: string, code: ErrorCode): Promise<boolean> {
    if (code !== "forbidden" && code !== "not-found") return false;
    return !(await this.#options.accounts()).some(({ id }) => id === account);
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
      if (!(await store.update(owner, row))) throw new CofferError("not-found");
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
        delete row.asked;
        delete row.parts;
        await store.update(owner, row);
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

  #shown({ id, account, created, size, refused }: WaitingUpload, metadata: Metadata | undefined): Queued {
    const sent = this.#sending?.id === id ? this.#sending.sent : 0;
    return { id, account, created: new Date(created), size, sent, metadata, refused };
  }

  #changed(): void {
    this.#options.onChange?.();
  }
}
