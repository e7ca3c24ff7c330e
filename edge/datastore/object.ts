import { DurableObject } from "cloudflare:workers";
import type { Completion, DocumentPage, Part } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result, refuse } from "../result.ts";
import { openStore, type Store } from "../store.ts";
import {
  beginCompletion,
  beginWrite,
  type DocumentRow,
  endWrite,
  findDocument,
  finishCompletion,
  forget,
  insertDocument,
  listDocuments,
  markDeleted,
  recordMetadata,
  recordPart,
  setUpload,
} from "./documents.ts";
import { contentKey, metadataKey } from "./keys.ts";
import {
  type AllowedPart,
  checkRoom,
  configuredQuota,
  giveRoomBack,
  type Quota,
  type Room,
  takeRoom,
  takeRoomForMetadata,
} from "./quota.ts";
import { MIGRATIONS } from "./schema.ts";
import { endUpload } from "./writes.ts";

/** An upload to which nothing has happened for so long is abandoned. Milliseconds. */
const ABANDONED_MS = 24 * 3600 * 1000;
/** A completion or deletion that has not ended after so long is taken up by the alarm. */
const STUCK_MS = 60_000;
/** A joining of parts from which nothing was heard for so long is lost; before that R2 may only be slow. */
const LOST_MS = 3600 * 1000;

/** Decisions on documents and their table, one object a tenant. The bytes go past it, straight into R2. */
export class DatastoreObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #quota: Quota;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "datastore", audit: env.AUDIT_DATASTORE, migrations: MIGRATIONS });
    this.#quota = configuredQuota(env);
  }

  create(
    caller: Caller,
    account: string,
    id?: string,
  ): Result<{ id: string; account: string; upload: string | null }> {
    const about = this.#about("datastore:create", caller, `account/${account}`);
    this.#sweepLater(STUCK_MS);
    return authorize(this.#store, about, (sql) => {
      if (!caller.accounts.includes(account)) return refuse("forbidden", "account of others");
      const repeated = sql.exec("SELECT 1 FROM documents WHERE id = ?", id ?? "").toArray().length > 0;
      const room = checkRoom(sql, account, this.#quota, { documents: 1, bytes: 1 });
      if (!room.ok && !repeated) return room;
      return insertDocument(sql, { account, client: caller.client }, Date.now(), id);
    });
  }

  /** False when this upload is not the document's. */
  opened(id: string, upload: string): boolean {
    return setUpload(this.#store.sql, id, upload);
  }

  /** May this caller do this to this document, which has to be in one of these states? */
  allow(caller: Caller, action: string, id: string, states: DocumentRow["state"][]): Result<DocumentRow> {
    return authorize(this.#store, this.#about(action, caller, `document/${id}`), (sql) =>
      findDocument(sql, id, caller, states),
    );
  }

  /** The same for a part of an upload. Takes room for it: `took` or `notTaken` says what became of it. */
  allowPart(caller: Caller, id: string, part: number, size: number): Result<AllowedPart> {
    return authorize(this.#store, this.#about("datastore:upload", caller, `document/${id}`), (sql) => {
      const found = findDocument(sql, id, caller, ["pending"]);
      if (!found.ok) return found;
      const { account, upload } = found.value;
      if (upload === null) return refuse("conflict", "upload is not open yet");
      const room = takeRoom(sql, found.value, part, size, this.#quota);
      return room.ok ? ok({ id, account, upload, room: room.value }) : room;
    });
  }

  /** The same for its metadata. A write begins: `tookMetadata` or `wrote` ends it. */
  allowMetadata(caller: Caller, id: string, size: number): Result<DocumentRow> {
    const about = this.#about("datastore:put-metadata", caller, `document/${id}`);
    return authorize(this.#store, about, (sql) => {
      const found = findDocument(sql, id, caller, ["pending", "complete"]);
      if (!found.ok) return found;
      const room = takeRoomForMetadata(sql, found.value, size, this.#quota);
      if (!room.ok) return room;
      beginWrite(sql, id);
      return found;
    });
  }

  took(id: string, part: Part, size: number): void {
    this.#store.transaction(() => recordPart(this.#store.sql, id, part, size, Date.now()));
  }

  /** R2 has nothing of the part. */
  notTaken(id: string, room: Room): void {
    this.#store.transaction(() => giveRoomBack(this.#store.sql, id, room));
  }

  tookMetadata(id: string, size: number): boolean {
    return this.#store.transaction(() => recordMetadata(this.#store.sql, id, size, Date.now()));
  }

  wrote(id: string): void {
    endWrite(this.#store.sql, id);
  }

  /** A write begins, unless the document is complete already: `completed` or `wrote` ends it. */
  async complete(caller: Caller, id: string, claimed: Completion): Promise<Result<DocumentRow>> {
    this.#sweepLater(STUCK_MS);
    const { parts, size } = claimed;
    const asked = await digest(JSON.stringify([size, parts.map(({ part, etag }) => [part, etag])]));
    return authorize(this.#store, this.#about("datastore:complete", caller, `document/${id}`), (sql) => {
      const found = findDocument(sql, id, caller, ["pending", "completing", "complete"]);
      if (!found.ok) return found;
      if (found.value.state === "pending") {
        const room = checkRoom(sql, found.value.account, this.#quota, { documents: 0, bytes: 0 });
        if (!room.ok) return room;
      }
      const begun = beginCompletion(sql, found.value, claimed, Date.now(), asked);
      if (begun.ok && begun.value.state !== "complete") beginWrite(sql, id);
      return begun;
    });
  }

  completed(id: string, etag: string): boolean {
    return this.#store.transaction(() => {
      endWrite(this.#store.sql, id);
      return finishCompletion(this.#store.sql, id, etag);
    });
  }

  remove(caller: Caller, id: string): Result<DocumentRow> {
    this.#sweepLater(STUCK_MS);
    return authorize(this.#store, this.#about("datastore:delete", caller, `document/${id}`), (sql) => {
      const found = findDocument(sql, id, caller, ["pending", "completing", "complete"]);
      if (found.ok) markDeleted(sql, id, Date.now());
      return found;
    });
  }

  removed(id: string): void {
    this.#store.transaction(() => forget(this.#store.sql, id));
  }

  list(caller: Caller, account: string, cursor?: string): Result<DocumentPage> {
    return authorize(this.#store, this.#about("datastore:list", caller, `account/${account}`), (sql) =>
      caller.accounts.includes(account)
        ? listDocuments(sql, { account, client: caller.client }, cursor)
        : refuse("forbidden", "account of others"),
    );
  }

  override async alarm(): Promise<void> {
    await this.#store.flush();
    const { sql, tenant } = this.#store;
    const now = Date.now();
    const due = [
      ...sql.exec<DocumentRow>(
        `SELECT * FROM documents WHERE (state = 'pending' AND touched <= ?)
         OR (state = 'deleted' AND touched <= ?)
         OR (state = 'completing' AND (touched <= ? OR (writing = 0 AND touched <= ?))) LIMIT 20`,
        now - ABANDONED_MS,
        now - STUCK_MS,
        now - LOST_MS,
        now - STUCK_MS,
      ),
    ];
    for (const row of due) await this.#settle(tenant, row).catch(() => undefined);
    const { next } = sql
      .exec<{ next: number | null }>(
        "SELECT min(CASE state WHEN 'pending' THEN touched + ? ELSE touched + ? END) AS next FROM documents WHERE state != 'complete'",
        ABANDONED_MS,
        STUCK_MS,
      )
      .one();
    if (next !== null) await wakeBy(this.ctx.storage, Math.max(next, now + STUCK_MS));
  }

  /** Ends what was interrupted: a joined upload becomes complete, everything else goes. */
  async #settle(tenant: string, row: DocumentRow): Promise<void> {
    const { DOCUMENTS } = this.env;
    const key = contentKey(tenant, row);
    if (row.state === "completing") {
      const joined = await DOCUMENTS.head(key);
      if (joined?.size === row.size) {
        this.#store.transaction(() => finishCompletion(this.#store.sql, row.id, joined.httpEtag));
        return;
      }
    }
    if (row.upload !== null) await endUpload(DOCUMENTS, key, row.upload);
    await DOCUMENTS.delete([key, metadataKey(tenant, row)]);
    this.#store.transaction(() => forget(this.#store.sql, row.id, { overdue: true }));
  }

  #about(action: string, caller: Caller, resource: string) {
    return { action, caller, resource: resource.slice(0, 128), requestId: caller.requestId };
  }

  #sweepLater(after = ABANDONED_MS): void {
    this.ctx.waitUntil(wakeBy(this.ctx.storage, Date.now() + after));
  }
}
