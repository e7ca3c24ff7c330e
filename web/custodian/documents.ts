/** Documents: sealed on their way to the datastore, opened on their way back. */

import type { PortClient } from "#protocol/port/index.ts";
import { fetchContent } from "./content.ts";
import { asCofferError, CofferError } from "./error.ts";
import type { DataKeys } from "./keys.ts";
import {
  cleanName,
  cleanType,
  decodeMetadata,
  encodeMetadata,
  METADATA_LIMIT,
  type Metadata,
} from "./metadata.ts";
import type { Microservice } from "./microservice.ts";
import { type Part, sendParts } from "./parts.ts";
import { counted, type Progress, type ProgressListener, readAll } from "./progress.ts";
import type { RestClient } from "./rest.ts";

/** Parts of one document under way at a time. */
const IN_FLIGHT = 3;
/** Documents whose metadata is opened at a time. */
const LISTING = 4;

/** What can be sealed. */
export type Source = Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;

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
  error?: unknown;
}

/** An open document. */
export interface OpenDocument extends Metadata {
  id: string;
  /**
   * The plaintext, to be taken once. It errs rather than ends when anything is wrong, so what came before the end is not
   * proven complete: do not act on a part of it. Each chunk is a buffer of its own that nobody else uses.
   */
  stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** All of it, complete and verified. */
  blob(): Promise<Blob>;
}

export interface SealOptions extends Partial<Omit<Metadata, "size">> {
  /** Default: the first account of the user. */
  account?: string;
  signal?: AbortSignal;
  onProgress?: ProgressListener;
}

export interface OpenOptions {
  signal?: AbortSignal;
  onProgress?: ProgressListener;
}

export interface ListOptions {
  signal?: AbortSignal;
  onChange?: (documents: Document[]) => void;
}

interface Row {
  id: string;
  account: string;
  size: number;
  /** Seconds since 1970. */
  created: number;
}

export interface DocumentsOptions {
  rest: RestClient;
  microservice: Microservice;
  keys: DataKeys;
  tenant: () => string;
}

/** The documents of one custodian. */
export class Documents {
  readonly #rest: RestClient;
  readonly #microservice: Microservice;
  readonly #keys: DataKeys;
  readonly #tenant: () => string;
  /** Opened metadata by document, while this page lives. Never written to storage. */
  readonly #opened = new Map<string, Metadata>();

  constructor({ rest, microservice, keys, tenant }: DocumentsOptions) {
    this.#rest = rest;
    this.#microservice = microservice;
    this.#keys = keys;
    this.#tenant = tenant;
  }

  /** Seals a source as a new document of `account`. When it fails or is aborted, nothing of it is left in the list. */
  async seal(source: Source, account: string, options: SealOptions): Promise<Document> {
    const { signal, onProgress } = options;
    const metadata = describe(source, options);
    const total = source instanceof ReadableStream ? undefined : metadata.size;
    const tell = (step: Progress["step"], bytes: number) => onProgress?.({ step, bytes, total });
    // A name that does not fit is refused before anything is made.
    encodeMetadata(metadata);

    tell("key", 0);
    const { port } = await this.#microservice.use();
    const edk = await this.#keys.take(account, signal);
    // Without the caller's signal: if the answer were lost, nobody could delete what was begun.
    const { id, partSize } = await this.#rest.json<{ id: string; partSize: number }>("POST", "/documents", {
      json: { account },
    });
    const path = `/documents/${encodeURIComponent(id)}`;
    try {
      signal?.throwIfAborted();
      tell("sealing", 0);
      const input = counted(source, (bytes) => (metadata.size = bytes));
      const name = () => this.#putMetadata(port, edk, { account, id, path }, metadata, signal);
      // Where the size is known already, the name goes beside the content.
      const named = total === undefined ? undefined : name();
      named?.catch(() => {});
      const sealed = port.seal({ edk, context: this.#context(account, id, "document") }, input, {
        signal,
      });
      const { parts, size } = await sendParts(sealed, {
        partSize,
        inFlight: IN_FLIGHT,
        signal,
        send: (part, body, either) =>
          this.#rest.json<Part>("PUT", `${path}/parts/${part}`, {
            body,
            headers: { "content-type": "application/octet-stream" },
            signal: either,
          }),
        // Ciphertext is a little longer than plaintext.
        onSent: (bytes) => tell("sealing", total === undefined ? bytes : Math.min(bytes, total)),
      });
      tell("finishing", metadata.size);
      await (named ?? name());
      await this.#rest.send("POST", `${path}/complete`, { json: { parts, size }, signal }, drain);
      this.#opened.set(id, metadata);
      return { id, account, created: new Date(), sealedSize: size, metadata };
    } catch (error) {
      // Without the caller's signal: this must run although he has cancelled.
      await this.#rest.send("DELETE", path, {}, drain).catch(() => {});
      throw signal?.aborted ? signal.reason : asCofferError(error);
    }
  }

  /** Opens a document. Its content streams in as it is read. */
  async open(id: string, { signal, onProgress }: OpenOptions): Promise<OpenDocument> {
    try {
      onProgress?.({ step: "key", bytes: 0, total: undefined });
      const [content, metadata] = await Promise.all([
        fetchContent(this.#rest, id, signal),
        this.#opened.get(id) ?? this.#openMetadata(id, signal),
      ]);
      const { port } = await this.#microservice.use();
      const context = await this.#loadFor(port, content.head, id, "document", signal);
      const plain = port.open({ context }, content.stream(), { signal, give: true });
      const total = metadata.size;
      let bytes = 0;
      const stream = plain.pipeThrough(
        new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
          transform(chunk, controller) {
            bytes += chunk.length;
            onProgress?.({ step: "opening", bytes, total });
            controller.enqueue(chunk);
          },
          flush() {
            // Content and metadata are sealed apart; a pair that does not fit together was not sealed together.
            if (bytes !== total) throw new CofferError("decrypt-failed");
          },
        }),
      );
      const readable = speaking(stream);
      return {
        id,
        ...metadata,
        stream: readable,
        blob: () => new Response(readable, { headers: { "content-type": metadata.type } }).blob(),
      };
    } catch (error) {
      throw signal?.aborted ? signal.reason : asCofferError(error);
    }
  }

  /** All complete documents of the user's accounts, newest first. Names come out of the sealed metadata. */
  async list(accounts: string[], { signal, onChange }: ListOptions = {}): Promise<Document[]> {
    const rows: Row[] = [];
    for (const account of accounts) {
      let cursor: string | undefined;
      do {
        const query = new URLSearchParams({ account, ...(cursor === undefined ? {} : { cursor }) });
        const page = await this.#rest.json<{ documents: Row[]; cursor?: string }>(
          "GET",
          `/documents?${query}`,
          {
            signal,
          },
        );
        rows.push(...page.documents);
        cursor = page.cursor;
      } while (cursor !== undefined);
    }
    const documents: Document[] = rows.map(({ id, account, size, created }) => ({
      id,
      account,
      created: new Date(created * 1000),
      sealedSize: size,
    }));
    documents.sort((a, b) => b.created.getTime() - a.created.getTime());
    for (const document of documents) document.metadata = this.#opened.get(document.id);
    onChange?.(documents);
    const waiting = documents.filter(({ metadata }) => !metadata).values();
    const work = async () => {
      for (const document of waiting) {
        try {
          document.metadata = await this.#openMetadata(document.id, signal);
        } catch (error) {
          signal?.throwIfAborted();
          document.error = asCofferError(error);
          if (error instanceof CofferError && error.code === "signed-out") throw error;
        }
        onChange?.(documents);
      }
    };
    await Promise.all(Array.from({ length: LISTING }, work));
    return documents;
  }

  /** Deletes a document for good. */
  async remove(id: string, signal?: AbortSignal): Promise<void> {
    await this.#rest.send("DELETE", `/documents/${encodeURIComponent(id)}`, { signal }, drain);
    this.#opened.delete(id);
  }

  async #putMetadata(
    port: PortClient,
    edk: string,
    { account, id, path }: { account: string; id: string; path: string },
    metadata: Metadata,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const context = this.#context(account, id, "metadata");
    const sealed = port.seal({ edk, context }, encodeMetadata(metadata), { signal });
    const body = await readAll(sealed, METADATA_LIMIT);
    const headers = { "content-type": "application/octet-stream" };
    await this.#rest.send("PUT", `${path}/metadata`, { body, headers, signal }, drain);
  }

  async #openMetadata(id: string, signal: AbortSignal | undefined): Promise<Metadata> {
    const path = `/documents/${encodeURIComponent(id)}/metadata`;
    const sealed = await this.#rest.send("GET", path, { signal }, async (response) => {
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (bytes.length > METADATA_LIMIT) throw new CofferError("unexpected-response");
      return bytes;
    });
    const { port } = await this.#microservice.use();
    const context = await this.#loadFor(port, sealed, id, "metadata", signal);
    const plain = await readAll(port.open({ context }, sealed, { signal }), METADATA_LIMIT);
    const metadata = decodeMetadata(plain);
    this.#opened.set(id, metadata);
    return metadata;
  }

  /**
   * Loads the key that a message's header names, and gives the context that the message must have. The header is not
   * authenticated yet; the microservice compares it with this context when it opens.
   */
  async #loadFor(
    port: PortClient,
    head: Uint8Array,
    id: string,
    purpose: string,
    signal: AbortSignal | undefined,
  ): Promise<Record<string, string>> {
    const { edk, context } = await port.inspect(head);
    const expected = this.#context(context.account ?? "", id, purpose);
    for (const [key, value] of Object.entries(expected)) {
      if (context[key] !== value) throw new CofferError("decrypt-failed");
    }
    await this.#keys.ensure(edk, signal);
    return expected;
  }

  #context(account: string, document: string, purpose: string): Record<string, string> {
    return { tenant: this.#tenant(), account, document, purpose };
  }
}

function describe(source: Source, options: SealOptions): Metadata {
  const file = source instanceof File ? source : undefined;
  const modified = options.modified ?? file?.lastModified;
  return {
    name: cleanName(options.name ?? file?.name ?? "document"),
    type: cleanType(options.type ?? (source instanceof Blob ? source.type : "")),
    size: source instanceof Blob ? source.size : source instanceof Uint8Array ? source.length : 0,
    ...(modified === undefined ? {} : { modified }),
  };
}

/** The same stream, failing with errors that can be shown. */
function speaking(stream: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          throw asCofferError(error);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

async function drain(response: Response): Promise<void> {
  await response.arrayBuffer();
}
