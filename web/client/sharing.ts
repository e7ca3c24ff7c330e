/** Documents that are shared between accounts: whom the own ones are shared with, and what others have shared. */

import { octetsOf, unread } from "#protocol/answer.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { readAll } from "#protocol/chunks.ts";
import {
  deleteReceived,
  deleteShare,
  listReceived,
  listShares,
  makeShare,
  putReceivedCopy,
  putShare,
  type ReceivedRow,
  readReceivedContent,
  readReceivedMetadata,
  withdrawShare,
} from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { MAX_SHORT_LENGTH, MAX_SHORT_MESSAGES } from "#protocol/port/index.ts";
import { fits, open, text } from "#protocol/shape.ts";
import { said } from "./amiss.ts";
import { contentName, sameContent } from "./belonging.ts";
import { callEmpty, callJson, callOctets } from "./call.ts";
import { fetchContent } from "./content.ts";
import { purposeOf, saidBy } from "./document-key.ts";
import type { Documents, OpenOptions } from "./documents.ts";
import { asCofferError } from "./error.ts";
import { ASKED_AT_ONCE, inTurns } from "./in-turns.ts";
import { type DataKeys, findsKeys } from "./keys.ts";
import {
  decodeMetadata,
  encodeMetadata,
  METADATA_LIMIT,
  type Metadata,
  type SealedMetadata,
} from "./metadata.ts";
import type { EnrolledMicroservice, Microservice } from "./microservice.ts";
import { type OpenDocument, openStream } from "./open-stream.ts";
import type { RestClient } from "./rest.ts";

/** An account, by the name that it has. */
export interface Party {
  account: string;
  name: string;
}

/** A document that another account may open. */
export interface Share {
  share: string;
  /** The document's id. */
  document: string;
  to: Party;
  created: Date;
  expires: Date;
}

export interface ShareOptions {
  /** The account that the document is in. Default: the user's first. */
  account?: string;
  /** Until when. Default: 90 days from now; 366 at most. */
  expires?: Date;
}

export interface ReceivedOptions {
  /** The user's account that has received them. Default: each of the user's. */
  account?: string;
  signal?: AbortSignal;
}

/** A document that another account has shared with one of the user's. */
export interface ReceivedDocument {
  share: string;
  /** The document's id in the account whose it is. */
  id: string;
  /** The user's account that has received it. */
  account: string;
  /** Who shared it. That it was them is proven when the document or its name is opened, and not before. */
  from: Party;
  created: Date;
  expires: Date;
  /** Undefined where it could not be opened, with the reason in `error`. */
  metadata?: Metadata | undefined;
  error?: unknown;
}

type Means = {
  rest: RestClient;
  microservice: Pick<Microservice, "use">;
  keys: Pick<DataKeys, "ensure" | "ensureAll" | "listing">;
  documents: Pick<Documents, "keyOf">;
  tenant: () => string;
  /** The account of this id, or the user's first. */
  account: (wanted?: string) => string;
  accounts: () => string[];
};

const recorded = open({
  account: text(1, 64),
  name: text(1, 256),
  document: text(36, 36),
  messageId: text(43, 43),
  headerDigest: text(43, 43),
});
const sharing = open({ record: recorded });
/** What a record says, as far as it is looked at here: the microservice verifies it before it opens anything. */
type Said = { account: string; name: string; document: string; messageId: string; headerDigest: string };

/** Why a document is not shared whose key is not its own: above level `data` one key opens all of an account (docs/decisions/0086). */
const UNSHARED =
  "Its key opens other documents too, or may not be passed on: it cannot be shared. Seal it in an account that both of you are members of.";

/** Documents whose names are read at a time. */
const READING = 4;

export class Sharing {
  readonly #means: Means;

  constructor(means: Means) {
    this.#means = means;
  }

  /**
   * Another account of the tenant may open this document from now on, and has it in its list. Shared again with an account, it stands until the new end.
   * Errors: `not-found` for a document or an account that is not there, `conflict` for a document that is not finished, `key-unusable` for one whose
   * key is not its own (above level `data`), `quota-exceeded`, `forbidden`.
   */
  async share(id: string, to: string, { account: wanted, expires }: ShareOptions = {}): Promise<Share> {
    const { rest, documents } = this.#means;
    const account = this.#means.account(wanted);
    const edk = await documents.keyOf(id, { account });
    const until = expires && { expires: Math.floor(expires.getTime() / 1000) };
    const asked = { document: id, to, edk, ...until };
    const made = await callJson(rest, makeShare, { account }, asked, { tries: 3 }).catch((error: unknown) => {
      throw codeOf(error) === "key-unusable" ? new CofferError("key-unusable", { message: UNSHARED }) : error;
    });
    const { share, record } = made;
    const put = { to, record, expires: made.expires };
    await callEmpty(rest, putShare, { account, id, share }, put, { tries: 3 }).catch(
      async (error: unknown) => {
        // What nobody can read is shared with nobody.
        await callEmpty(rest, withdrawShare, { account, share }, undefined).catch(() => {});
        throw error;
      },
    );
    return { share, document: id, to: made.to, created: new Date(), expires: timeOf(made.expires) };
  }

  /** Whom documents of an account are shared with, or one of them: the newest first. */
  async shares({ account, document }: { account?: string; document?: string } = {}): Promise<Share[]> {
    const input = { account: this.#means.account(account), ...(document !== undefined && { document }) };
    const { shares } = await callJson(this.#means.rest, listShares, input, undefined, { tries: 3 });
    return shares.map((row) => ({ ...row, created: timeOf(row.created), expires: timeOf(row.expires) }));
  }

  /**
   * Ends a share: from now on neither document nor key is given to the other account. A key that one of its devices has loaded ends within the hour, and opens
   * until then what that device has kept.
   */
  async withdraw({ share, document }: Pick<Share, "share" | "document">, account?: string): Promise<void> {
    const { rest } = this.#means;
    const at = this.#means.account(account);
    await callEmpty(rest, withdrawShare, { account: at, share }, undefined, { tries: 3 });
    await callEmpty(rest, deleteShare, { account: at, id: document, share }, undefined, { tries: 3 });
  }

  /**
   * What others have shared with the user's accounts, the newest first of each, or with one of them. Two accounts may have been given the same document,
   * each by a share of its own.
   */
  async received({ account: one, signal }: ReceivedOptions = {}): Promise<ReceivedDocument[]> {
    const all: ReceivedDocument[] = [];
    for (const account of one === undefined ? this.#means.accounts() : [this.#means.account(one)]) {
      const rows: ReceivedRow[] = [];
      for await (const page of this.#pages(account, signal)) rows.push(...page);
      const documents = rows.map((row) => receivedOf(account, row));
      await this.#openCopies(account, rows, documents);
      await this.#readOthers(rows, documents, signal);
      all.push(...documents);
    }
    return all;
  }

  /**
   * Opens one of these; by its share alone it is looked for in each of the user's accounts. Errors: `share-ended`, also where there is none of it,
   * `document-changed`, and as of `Coffer.open`.
   */
  async open(
    { share, account: named }: Pick<ReceivedDocument, "share"> & { account?: string },
    options: OpenOptions = {},
  ): Promise<OpenDocument> {
    const { signal } = options;
    try {
      const { account, row } = await this.#find(share, named ? [named] : this.#means.accounts(), signal);
      const record = recordOf(row);
      const [content, { metadata }] = await Promise.all([
        fetchContent(
          (...of) => callOctets(this.#means.rest, readReceivedContent, { account, share }, ...of),
          signal,
        ),
        this.#openMetadata(account, row, signal),
      ]);
      if (!sameContent(record, await contentName(content.head))) throw said("document-changed");
      const { port } = await this.#load(row, signal);
      const context = this.#context(record.account, record.document, "document");
      const plain = port.open({ context, key: row.record }, content.stream(), { signal, give: true });
      return openStream({ account: record.account, id: record.document }, metadata, plain, options);
    } catch (error) {
      throw signal?.aborted ? signal.reason : asCofferError(error);
    }
  }

  /**
   * Takes one of these off the list of the account that has it; by its share alone it is looked for in each of the user's accounts. Whose it is can
   * share it again. Error: `share-ended` where none of them has it.
   */
  async decline({
    share,
    account: named,
  }: Pick<ReceivedDocument, "share"> & { account?: string }): Promise<void> {
    const account = named ?? (await this.#find(share, this.#means.accounts(), undefined)).account;
    await callEmpty(this.#means.rest, deleteReceived, { account, share }, undefined, { tries: 3 });
  }

  /** Reads no further than to the page that has it. */
  async #find(
    share: string,
    accounts: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<{ account: string; row: ReceivedRow }> {
    for (const account of accounts)
      for await (const page of this.#pages(account, signal)) {
        const row = page.find((each) => each.share === share);
        if (row) return { account, row };
      }
    throw new CofferError("share-ended");
  }

  async *#pages(account: string, signal: AbortSignal | undefined): AsyncGenerator<ReceivedRow[]> {
    let after: number | undefined;
    do {
      const input = { account, ...(after !== undefined && { after: String(after) }) };
      const page = await callJson(this.#means.rest, listReceived, input, undefined, { signal, tries: 3 });
      // Pages without end would have no end here either.
      if (page.next !== undefined && after !== undefined && page.next >= after)
        throw new CofferError("unexpected-response");
      yield page.received;
      after = page.next;
    } while (after !== undefined);
  }

  /** Names out of the account's own copies, as far as they open. */
  async #openCopies(
    account: string,
    rows: readonly ReceivedRow[],
    documents: ReceivedDocument[],
  ): Promise<void> {
    const enrolled = await this.#means.microservice.use();
    const { port } = enrolled;
    const closed: { at: number; edk: string; message: Uint8Array<ArrayBuffer> }[] = [];
    const inspect = async ({ copy }: ReceivedRow, at: number) => {
      const message = copy === undefined ? undefined : decodeBase64url(copy);
      const edk = message && (await port.inspect(message).catch(() => undefined))?.edk;
      // Whoever writes can make other keys, and a copy under one of them of a name that is none.
      if (message && edk !== undefined && (findsKeys(enrolled) || purposeOf(edk) === "metadata"))
        closed.push({ at, edk, message });
    };
    await Promise.all(inTurns(rows, ASKED_AT_ONCE, inspect));
    const loaded = await this.#means.keys.ensureAll(
      [...new Set(closed.map(({ edk }) => edk))],
      undefined,
      enrolled,
    );
    const openable = closed.filter(({ edk }) => loaded.has(edk));
    for (let from = 0; from < openable.length; from += MAX_SHORT_MESSAGES) {
      const some = openable.slice(from, from + MAX_SHORT_MESSAGES);
      const messages = some.map(({ at, message }) => {
        const context = this.#context(account, documents[at]?.id ?? "", "listing");
        return { context, message };
      });
      for (const [n, plain] of (await port.openAll(messages)).entries()) {
        const document = documents[some[n]?.at ?? -1];
        if (document && plain) document.metadata = metadataIn(new Uint8Array(plain));
      }
    }
  }

  /** Those without a copy by the document's own metadata; the account has its own copy from then on. */
  async #readOthers(
    rows: readonly ReceivedRow[],
    documents: ReceivedDocument[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const read = async (document: ReceivedDocument, at: number) => {
      const row = rows[at];
      if (document.metadata || !row || document.error) return;
      try {
        const opened = await this.#openMetadata(document.account, row, signal);
        document.metadata = opened.metadata;
        // Without it the name is read again next time, and that is all.
        await this.#copy(document, opened).catch(() => {});
      } catch (error) {
        signal?.throwIfAborted();
        if (codeOf(error) === "signed-out") throw error;
        document.error = asCofferError(error);
      }
    };
    await Promise.all(inTurns(documents, READING, read));
  }

  async #copy({ account, share, id }: ReceivedDocument, { metadata, content }: Opened): Promise<void> {
    const { keys, microservice, rest } = this.#means;
    const enrolled = await microservice.use();
    const edk = await keys.listing(account, enrolled);
    const context = this.#context(account, id, "listing");
    const sealed = enrolled.port.seal({ edk, context }, encodeMetadata({ ...metadata, content }));
    const copy = encodeBase64url(await readAll(sealed, MAX_SHORT_LENGTH));
    await callEmpty(rest, putReceivedCopy, { account, share }, { copy });
  }

  async #openMetadata(account: string, row: ReceivedRow, signal: AbortSignal | undefined): Promise<Opened> {
    const { rest } = this.#means;
    const record = recordOf(row);
    const sealed = await callOctets(
      rest,
      readReceivedMetadata,
      { account, share: row.share },
      async (response) => {
        if (response.status !== 200) throw await unread(response);
        return octetsOf(response, METADATA_LIMIT);
      },
      { signal },
    );
    const { metadataDigest } = record;
    if (metadataDigest !== undefined && metadataDigest !== (await digest(sealed)))
      throw said("document-changed");
    const { port } = await this.#load(row, signal);
    const context = this.#context(record.account, record.document, "metadata");
    const plain = await readAll(port.open({ context, key: row.record }, sealed, { signal }), METADATA_LIMIT);
    const { content, ...metadata } = decodeMetadata(plain);
    if (!content || !sameContent(content, record)) throw said("document-changed");
    return { metadata, content };
  }

  async #load({ record }: ReceivedRow, signal: AbortSignal | undefined): Promise<EnrolledMicroservice> {
    const { microservice, keys } = this.#means;
    const enrolled = await microservice.use();
    await keys.ensure(record, signal, enrolled);
    return enrolled;
  }

  #context(account: string, document: string, purpose: string) {
    return { tenant: this.#means.tenant(), account, document, purpose };
  }
}

type Opened = { metadata: Metadata; content: NonNullable<SealedMetadata["content"]> };

function receivedOf(account: string, row: ReceivedRow): ReceivedDocument {
  const { share, document: id, created, expires } = row;
  const times = { created: timeOf(created), expires: timeOf(expires) };
  try {
    const { account: whose, name } = recordOf(row);
    return { share, id, account, from: { account: whose, name }, ...times };
  } catch (error) {
    return {
      share,
      id,
      account,
      from: { account: row.account, name: "" },
      ...times,
      error: asCofferError(error),
    };
  }
}

/** What the record says. Error: `key-refused` where that is none, or another document's than the datastore says. */
function recordOf({ record, account, document }: ReceivedRow): Said & { metadataDigest?: string } {
  const payload = saidBy(record);
  if (!fits(sharing, payload) || payload.record.account !== account || payload.record.document !== document)
    throw new CofferError("key-refused");
  return payload.record;
}

/** In what somebody of the account has sealed. */
function metadataIn(plain: Uint8Array): Metadata | undefined {
  try {
    const { content: _, key: __, ...metadata } = decodeMetadata(plain);
    return metadata;
  } catch {
    return undefined;
  }
}

function timeOf(time: number): Date {
  return new Date(time * 1000);
}
