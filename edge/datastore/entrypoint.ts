import { WorkerEntrypoint } from "cloudflare:workers";
import { decodeBase64url } from "#protocol/base64url.ts";
import { parseRange } from "#protocol/byte-range.ts";
import { seconds } from "#protocol/clock.ts";
import type {
  AccountQuota,
  Completion,
  DeletedPage,
  DocumentPage,
  Part,
  PutListed,
  PutShare,
  ReceivedPage,
  SetQuota,
  ShortDocument,
  TakenPart,
  UploadOpened,
} from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";
import type { Wanted } from "./account.ts";
import type { DocumentRow } from "./documents.ts";
import { contentKey, metadataKey } from "./keys.ts";
import { type Content, PART_SIZE } from "./types.ts";
import {
  erase,
  HTTP_METADATA,
  joinParts,
  type Place,
  storeMetadata,
  storePart,
  storeWhole,
} from "./writes.ts";

/** What the door needs of its neighbours. */
interface Neighbours {
  /** Whether the caller administers the tenant, which has this account. */
  IAM: { administratorOf(caller: Caller, account: string): Promise<Result<null>> };
}

const READABLE: DocumentRow["state"][] = ["complete"];

/**
 * The door of the datastore for the gateway. The gateway has verified access token, DPoP proof and the shape of what is asked. The account's object
 * decides and keeps the table; the bytes stream between caller and R2 here and touch no Durable Object.
 */
export class Datastore extends WorkerEntrypoint<Env> {
  /** `POST /accounts/{account}/documents`: opens an upload under the id that the custodian chose; for those who leave it out, one is made. */
  async create(caller: Caller, account: string, id?: string): Promise<Result<UploadOpened>> {
    const object = this.#object(caller, account);
    const decision = await object.create(caller, id);
    if (!decision.ok) return decision;
    const { value: made } = decision;
    if (made.upload === null) {
      const upload = await this.env.DOCUMENTS.createMultipartUpload(contentKey(caller.tenant, made), {
        httpMetadata: HTTP_METADATA,
      });
      // Asked for twice at once, the upload that came first is the document's.
      if (!(await object.opened(made.id, upload.uploadId))) await upload.abort();
    }
    return ok({ id: made.id, partSize: PART_SIZE });
  }

  /** `PUT …/documents/{id}`: a short document as a whole. */
  async store(
    caller: Caller,
    account: string,
    id: string,
    document: ShortDocument,
  ): Promise<Result<{ size: number; etag: string }>> {
    const [content, metadata] = [decodeBase64url(document.content), decodeBase64url(document.metadata)];
    const sent = await digest(JSON.stringify([document.content, document.metadata]));
    const whole = { id, size: content.length, metadata: metadata.length, digest: sent };
    const decision = await this.#object(caller, account).store(caller, whole, document.listed);
    if (!decision.ok) return decision;
    return storeWhole(this.#place(caller, account), decision.value, { content, metadata });
  }

  /** `GET …/uploads/{id}`: the parts that it has. */
  async upload(
    caller: Caller,
    account: string,
    id: string,
  ): Promise<Result<UploadOpened & { parts: TakenPart[] }>> {
    const found = await this.#object(caller, account).parts(caller, id);
    return found.ok ? ok({ id, partSize: PART_SIZE, parts: found.value }) : found;
  }

  /** `PUT …/documents/{id}/parts/{n}`: `length` bytes (Content-Length) of `body`. A part can be sent again. */
  async uploadPart(
    caller: Caller,
    account: string,
    id: string,
    part: number,
    length: number,
    body: ReadableStream,
  ): Promise<Result<Part>> {
    const decision = await this.#object(caller, account).allowPart(caller, id, part, length);
    if (!decision.ok) return decision;
    const stored = storePart(this.#place(caller, account), decision.value, body, length);
    // A client that breaks off must not keep us from noting what became of its part.
    this.ctx.waitUntil(stored.catch(() => undefined));
    return ok(await stored);
  }

  /** `PUT …/documents/{id}/metadata`: the sealed metadata message, at most 64 KiB. It may be replaced. */
  async putMetadata(caller: Caller, account: string, id: string, message: Uint8Array): Promise<Result<void>> {
    if (message.byteLength === 0) return fail("bad-request");
    const decision = await this.#object(caller, account).allowMetadata(caller, id, message.byteLength);
    return decision.ok ? storeMetadata(this.#place(caller, account), decision.value, message) : decision;
  }

  /** `POST …/documents/{id}/complete`: joins the parts; from now on the document is listed. */
  async complete(
    caller: Caller,
    account: string,
    id: string,
    claimed: Completion,
  ): Promise<Result<{ size: number; etag: string }>> {
    const decision = await this.#object(caller, account).complete(caller, id, claimed);
    return decision.ok ? joinParts(this.#place(caller, account), decision.value, claimed) : decision;
  }

  /** `GET …/documents`: complete documents of the account, newest first. */
  async list(caller: Caller, account: string, wanted: Wanted): Promise<Result<DocumentPage>> {
    return this.#object(caller, account).list(caller, wanted);
  }

  /** `GET …/deleted-documents`: documents of the account that will be deleted. */
  async listDeleted(caller: Caller, account: string, cursor?: string): Promise<Result<DeletedPage>> {
    return this.#object(caller, account).listDeleted(caller, cursor);
  }

  /** `POST …/documents/{id}/deletion`: a complete document; gone from the list at once, for good on its day. */
  async scheduleDeletion(
    caller: Caller,
    account: string,
    id: string,
    days: number | undefined,
  ): Promise<Result<{ ends: number }>> {
    const decision = await this.#object(caller, account).scheduleDeletion(caller, id, days);
    return decision.ok ? ok({ ends: seconds(decision.value) }) : decision;
  }

  /** `DELETE …/documents/{id}/deletion`: it is kept after all, and listed again. */
  async keepDocument(caller: Caller, account: string, id: string): Promise<Result<void>> {
    const kept = await this.#object(caller, account).keepDocument(caller, id);
    return kept.ok ? ok(undefined) : kept;
  }

  /** `PUT …/listed-metadata`: copies of sealed metadata for the list. */
  async putListed(caller: Caller, account: string, copies: PutListed): Promise<Result<void>> {
    const kept = await this.#object(caller, account).putListed(caller, copies);
    return kept.ok ? ok(undefined) : kept;
  }

  /** `GET …/documents/{id}/content`; `range` is the Range header as it came, or null. */
  async content(caller: Caller, account: string, id: string, range: string | null): Promise<Result<Content>> {
    return this.#read(caller, account, "datastore:read", id, range, contentKey);
  }

  /** `GET …/documents/{id}/metadata`: the sealed metadata message, of an upload too. */
  async metadata(caller: Caller, account: string, id: string): Promise<Result<Content>> {
    return this.#read(caller, account, "datastore:read-metadata", id, null, metadataKey, [
      "complete",
      "pending",
    ]);
  }

  /** `DELETE …/documents/{id}`: an upload or a complete document; gone from the list at once, from R2 at once or soon. */
  async delete(caller: Caller, account: string, id: string): Promise<Result<void>> {
    const decision = await this.#object(caller, account).remove(caller, id);
    if (!decision.ok) return decision;
    await erase(this.#place(caller, account), decision.value);
    return ok(undefined);
  }

  /** `PUT …/documents/{id}/shares/{share}`: another account of the tenant may read it from now on. */
  async share(
    caller: Caller,
    account: string,
    id: string,
    share: string,
    put: PutShare,
  ): Promise<Result<null>> {
    return this.#object(caller, account).share(caller, id, share, put);
  }

  /** `DELETE …/documents/{id}/shares/{share}`. */
  async unshare(caller: Caller, account: string, id: string, share: string): Promise<Result<null>> {
    return this.#object(caller, account).unshare(caller, id, share);
  }

  /** `GET /accounts/{account}/received`: what others have shared with the account. */
  async listReceived(caller: Caller, account: string, after?: number): Promise<Result<ReceivedPage>> {
    return this.#object(caller, account).listReceived(caller, after);
  }

  /** `DELETE …/received/{share}`. */
  async removeReceived(caller: Caller, account: string, share: string): Promise<Result<null>> {
    return this.#object(caller, account).removeReceived(caller, share);
  }

  /** `PUT …/received/{share}/copy`. */
  async putReceivedCopy(caller: Caller, account: string, share: string, copy: string): Promise<Result<null>> {
    return this.#object(caller, account).putReceivedCopy(caller, share, copy);
  }

  /** `GET …/received/{share}/content`; `range` as of `content`. */
  async receivedContent(
    caller: Caller,
    account: string,
    share: string,
    range: string | null,
  ): Promise<Result<Content>> {
    const lent = await this.#lent(caller, account, share);
    return lent.ok ? this.#serve(caller, lent.value, range, contentKey) : lent;
  }

  /** `GET …/received/{share}/metadata`. */
  async receivedMetadata(caller: Caller, account: string, share: string): Promise<Result<Content>> {
    const lent = await this.#lent(caller, account, share);
    return lent.ok ? this.#serve(caller, lent.value, null, metadataKey) : lent;
  }

  /** That the caller is of the account which has received it, that one's object says; that the share stands, the object of the account whose it is. */
  async #lent(caller: Caller, account: string, share: string): Promise<Result<DocumentRow>> {
    const received = await this.#object(caller, account).received(caller, share);
    if (!received.ok) return received;
    return this.#object(caller, received.value.from).lend(caller, { share, to: account });
  }

  /** `GET /admin/accounts/{account}/quota`. Errors: `invalid-token`, `forbidden`, `not-found`. */
  async quota(caller: Caller, account: string): Promise<Result<AccountQuota>> {
    const admin = await this.#iam.administratorOf(caller, account);
    return admin.ok ? this.#object(caller, account).quota(caller) : admin;
  }

  /** `PUT /admin/accounts/{account}/quota`. Errors: those, `quota-exceeded`. */
  async setQuota(caller: Caller, account: string, quota: SetQuota): Promise<Result<null>> {
    const admin = await this.#iam.administratorOf(caller, account);
    return admin.ok ? this.#object(caller, account).setQuota(caller, quota) : admin;
  }

  get #iam(): Neighbours["IAM"] {
    return this.env.IAM_FOR_DATASTORE;
  }

  async #read(
    caller: Caller,
    account: string,
    action: string,
    id: string,
    header: string | null,
    keyOf: typeof contentKey,
    states: DocumentRow["state"][] = READABLE,
  ): Promise<Result<Content>> {
    const decision = await this.#object(caller, account).allow(caller, action, id, states);
    return decision.ok ? this.#serve(caller, decision.value, header, keyOf) : decision;
  }

  async #serve(
    caller: Caller,
    row: DocumentRow,
    header: string | null,
    keyOf: typeof contentKey,
  ): Promise<Result<Content>> {
    const range = parseRange(header, row.size);
    if (range === "unsatisfiable") return fail("range-not-satisfiable");
    const object = await this.env.DOCUMENTS.get(keyOf(caller.tenant, row), range ? { range } : {});
    if (!object) return fail("not-found");
    return ok({ body: object.body, size: object.size, etag: object.httpEtag, range });
  }

  #place(caller: Caller, account: string): Place {
    return { bucket: this.env.DOCUMENTS, rows: this.#object(caller, account), tenant: caller.tenant };
  }

  #object({ tenant }: { tenant: string }, account: string) {
    return this.env.DATASTORE_ACCOUNT_OBJECT.getByName(`${tenant}/${account}`);
  }
}
