import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type {
  AccountQuota,
  Completion,
  DeletedPage,
  DocumentPage,
  Listed,
  Part,
  PutListed,
  PutShare,
  ReceivedPage,
  SetQuota,
  TakenPart,
} from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import type { AccountRole } from "#protocol/roles.ts";
import { wakeBy } from "../alarm.ts";
import { type AuthorizeRequest, authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { daySeconds } from "../days.ts";
import { type Handover, openHandover } from "../handover.ts";
import { forgetKept, keep, readKept } from "../keeping.ts";
import { askIdentifiers, type Identified, type IdentifierAsk } from "../key-identifiers.ts";
import { type Outbox, openOutbox } from "../outbox.ts";
import type { Member } from "../person.ts";
import { type Decision, fail, ok, type Problem, type Refusal, type Result, refuse } from "../result.ts";
import { hasStore, openStore, type Store, subjectOf } from "../store.ts";
import { endDeleted, findDeletable, keepDocument, listDeleted, scheduleDeletion } from "./deletion.ts";
import {
  beginCompletion,
  beginWhole,
  beginWrite,
  type DocumentRow,
  endWrite,
  findDocument,
  finishCompletion,
  forget,
  insertDocument,
  listDocuments,
  listNamed,
  markDeleted,
  readRow,
  recordMetadata,
  recordPart,
  setUpload,
  takenParts,
  type Whole,
} from "./documents.ts";
import { checkLives, erase, readShredded, shred } from "./erase.ts";
import { keepListed } from "./listed.ts";
import { Members } from "./members.ts";
import { insertMoved, type Moved } from "./moved.ts";
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
import { quotaOf, readQuota, setQuota } from "./set-quota.ts";
import {
  addresseeOf,
  type Coming,
  endAllReceived,
  endGiven,
  endReceived,
  findLent,
  findReceived,
  giveShare,
  hasRoomFor,
  keepCopy,
  listReceived,
  type ShareNews,
  takeNews,
  takeShareTurn,
} from "./shares.ts";
import { STUCK_MS, sweep } from "./sweep.ts";

/** How soon after a shred its documents begin to go. Milliseconds. */
const ERASE_AFTER_MS = 100;

/** All that a reader of the account may do. */
const READS: ReadonlySet<string> = new Set([
  ...["datastore:list", "datastore:list-deleted", "datastore:read", "datastore:read-metadata"],
  ...["datastore:list-received", "datastore:read-received"],
]);

/** Of a list: a page, or those with these ids. */
export type Wanted = {
  cursor?: string | undefined;
  ids?: string[] | undefined;
  limit?: number | undefined;
};

/** What the datastore needs of its neighbours. */
interface Neighbours {
  IAM: {
    member(of: { tenant: string; account: string; caller: Caller }): Promise<Result<Member>>;
    /** Whether there is such an account of the tenant, which takes what is shared with it. */
    receives(of: { tenant: string; account: string; caller: Caller }): Promise<Result<null>>;
  };
}

type Opened = { store: Store; handover: Handover; outbox: Outbox };

/**
 * Decisions on the documents of one account, and their table; named `<tenant>/<account>`. The bytes go past it, straight
 * into R2. Anyone may name an account: nothing is written before the IAM has said that the caller is a member of it.
 */
export class DatastoreAccountObject extends DurableObject<Env> {
  /** What the deployment allows an account. */
  readonly #most: Quota;
  readonly #members: Members;
  readonly #receives: (caller: Caller, account: string) => Promise<Result<null>>;
  #opened: Opened | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const IAM: Neighbours["IAM"] = env.IAM_FOR_DATASTORE;
    this.#receives = (caller, account) => IAM.receives({ tenant: caller.tenant, account, caller });
    this.#most = configuredQuota(env);
    this.#members = new Members((caller) =>
      IAM.member({ tenant: caller.tenant, account: this.#account, caller }),
    );
    // What was decided before it was evicted has still to be told.
    if (hasStore(ctx)) this.#open();
  }

  create(
    caller: Caller,
    id?: string,
  ): Promise<Result<{ id: string; account: string; upload: string | null }>> {
    const account = this.#account;
    return this.#decide("datastore:create", caller, `account/${account}`, (sql) => {
      this.#sweepLater();
      const repeated = id !== undefined && readRow(sql, id) !== undefined;
      const room = checkRoom(sql, account, quotaOf(sql, this.#most), { documents: 1, bytes: 1 });
      if (!room.ok && !repeated) return room;
      return insertDocument(sql, { account, client: caller.client }, Date.now(), id);
    });
  }

  /** False when this upload is not the document's. */
  opened(id: string, upload: string): boolean {
    return setUpload(this.#store.sql, id, upload);
  }

  /** May this caller do this to this document, which has to be in one of these states? */
  allow(
    caller: Caller,
    action: string,
    id: string,
    states: DocumentRow["state"][],
  ): Promise<Result<DocumentRow>> {
    return this.#decide(action, caller, `document/${id}`, (sql) => findDocument(sql, id, caller, states));
  }

  /** The same for a part of an upload. Takes room for it: `took` or `notTaken` says what became of it. */
  async allowPart(caller: Caller, id: string, part: number, size: number): Promise<Result<AllowedPart>> {
    const about = aboutRequest("datastore:upload", caller, `document/${id}`);
    return this.#decideFor(await this.#members.checkForPart(caller), about, (sql) => {
      const found = findDocument(sql, id, caller, ["pending"]);
      if (!found.ok) return found;
      const { account, upload } = found.value;
      if (upload === null) return refuse("conflict", "upload is not open yet");
      const room = takeRoom(sql, found.value, part, size, quotaOf(sql, this.#most));
      return room.ok ? ok({ id, account, upload, room: room.value }) : room;
    });
  }

  /** The same for its metadata. A write begins: `tookMetadata` or `wrote` ends it. */
  allowMetadata(caller: Caller, id: string, size: number): Promise<Result<DocumentRow>> {
    return this.#decide("datastore:put-metadata", caller, `document/${id}`, (sql) => {
      const found = findDocument(sql, id, caller, ["pending", "complete"]);
      if (!found.ok) return found;
      const room = takeRoomForMetadata(sql, found.value, size, quotaOf(sql, this.#most));
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
    const { parts, size } = claimed;
    const asked = await digest(JSON.stringify([size, parts.map(({ part, etag }) => [part, etag])]));
    return this.#decide("datastore:complete", caller, `document/${id}`, (sql) => {
      const found = findDocument(sql, id, caller, ["pending", "completing", "complete"]);
      if (!found.ok) return found;
      if (found.value.state === "pending") {
        const room = checkRoom(sql, found.value.account, quotaOf(sql, this.#most), {
          documents: 0,
          bytes: 0,
        });
        if (!room.ok) return room;
      }
      const begun = beginCompletion(sql, found.value, claimed, Date.now(), asked);
      return this.#begin(sql, caller, begun, claimed.listed);
    });
  }

  /** A document as a whole. A write begins, unless it is stored already: `completed` or `wrote` ends it. */
  store(caller: Caller, whole: Whole, listed: Listed | undefined): Promise<Result<DocumentRow>> {
    const account = this.#account;
    const { client } = caller;
    const { id, size, metadata } = whole;
    return this.#decide("datastore:store", caller, `document/${id}`, (sql) => {
      const known = readRow(sql, id) !== undefined;
      const room = checkRoom(sql, account, quotaOf(sql, this.#most), {
        documents: 1,
        bytes: size + metadata,
      });
      if (!room.ok && !known) return room;
      const begun = beginWhole(sql, { account, client }, whole, Date.now());
      return this.#begin(sql, caller, begun, listed);
    });
  }

  completed(id: string, etag: string): boolean {
    return this.#store.transaction(() => {
      endWrite(this.#store.sql, id);
      return finishCompletion(this.#store.sql, id, etag);
    });
  }

  remove(caller: Caller, id: string): Promise<Result<DocumentRow>> {
    const deciding = this.#decide("datastore:delete", caller, `document/${id}`, (sql) => {
      const found = findDeletable(sql, id, caller);
      if (found.ok) {
        this.#sweepLater();
        markDeleted(sql, id, Date.now());
        endGiven(sql, { requestId: caller.requestId, from: this.#account, document: id });
      }
      return found;
    });
    return this.#telling(deciding);
  }

  removed(id: string): void {
    this.#store.transaction(() => forget(this.#store.sql, id));
  }

  list(caller: Caller, { cursor, ids, limit }: Wanted): Promise<Result<DocumentPage>> {
    const account = this.#account;
    const owner = { account, client: caller.client };
    return this.#decide("datastore:list", caller, `account/${account}`, (sql) =>
      ids ? listNamed(sql, owner, ids) : listDocuments(sql, owner, cursor, limit),
    );
  }

  /** It will be deleted: answers when, milliseconds since 1970. */
  async scheduleDeletion(caller: Caller, id: string, days: number | undefined): Promise<Result<number>> {
    const resource = `document/${id}`;
    const deciding = this.#decide("datastore:schedule-deletion", caller, resource, (sql) => {
      const of = { days, day: daySeconds(this.env), now: Date.now() };
      const scheduled = scheduleDeletion(sql, id, caller, of);
      // Whoever restores it shares it anew.
      if (scheduled.ok) endGiven(sql, { requestId: caller.requestId, from: this.#account, document: id });
      return scheduled;
    });
    const decision = await this.#telling(deciding);
    if (decision.ok) await wakeBy(this.ctx.storage, decision.value);
    return decision;
  }

  keepDocument(caller: Caller, id: string): Promise<Result<null>> {
    return this.#decide("datastore:cancel-deletion", caller, `document/${id}`, (sql) =>
      keepDocument(sql, id, caller, Date.now()),
    );
  }

  listDeleted(caller: Caller, cursor?: string): Promise<Result<DeletedPage>> {
    const account = this.#account;
    return this.#decide("datastore:list-deleted", caller, `account/${account}`, (sql) =>
      listDeleted(sql, { account, client: caller.client }, cursor, Date.now()),
    );
  }

  /** Copies of metadata for the list. */
  putListed(caller: Caller, copies: PutListed): Promise<Result<null>> {
    return this.#decide("datastore:put-listed", caller, `account/${this.#account}`, (sql) => {
      keepListed(sql, { ...copies, client: caller.client });
      return ok(null);
    });
  }

  /** The parts that an upload has. */
  parts(caller: Caller, id: string): Promise<Result<TakenPart[]>> {
    return this.#decide("datastore:read-upload", caller, `document/${id}`, (sql) => {
      const found = findDocument(sql, id, caller, ["pending"]);
      return found.ok ? ok(takenParts(sql, id)) : found;
    });
  }

  /** Another account may read a document from now on, and has the record of it. */
  async share(caller: Caller, id: string, share: string, put: PutShare): Promise<Result<null>> {
    const from = this.#account;
    const { to } = put;
    const [there, room] = await Promise.all([
      this.#receives(caller, to),
      this.env.DATASTORE_ACCOUNT_OBJECT.getByName(`${caller.tenant}/${to}`).hasRoomFor({
        ...{ from, document: id, client: caller.client },
      }),
    ]);
    const deciding = this.#decide("datastore:share", caller, `document/${id}`, (sql) => {
      const turn = takeShareTurn(sql, "datastore:share", caller);
      if (!turn.ok) return turn;
      if (!there.ok) return refuse(there.problem.code, "no such account to share with");
      if (!room) return refuse("quota-exceeded", "the other account takes no more");
      return giveShare(sql, caller, { id, share, from, ...put }, seconds(Date.now()));
    });
    return this.#telling(deciding);
  }

  /** It may not from now on. Asked for again, it is the same. */
  unshare(caller: Caller, id: string, share: string): Promise<Result<null>> {
    const { client, requestId } = caller;
    const deciding = this.#decide<null>("datastore:unshare", caller, `document/${id}`, (sql) => {
      const turn = takeShareTurn(sql, "datastore:unshare", caller);
      if (!turn.ok) return turn;
      endGiven(sql, { requestId, from: this.#account, client, document: id, share });
      return ok(null);
    });
    return this.#telling(deciding);
  }

  /** The document of a share that stands, for a member of the account that it is for, which that account's object has said. */
  async lend(caller: Caller, of: { share: string; to: string }): Promise<Result<DocumentRow>> {
    if (!hasStore(this.ctx)) return fail("share-ended");
    const { store, handover } = this.#open();
    // One whose deletion is scheduled lends nothing until it is kept after all.
    const [here] = await Promise.all([this.#receives(caller, this.#account), handover.take()]);
    return authorize(store, aboutRequest("datastore:lend", caller, `share/${of.share}`), (sql) => {
      const lives = checkLives(sql);
      if (!lives.ok) return refuse("share-ended", "the account is shredded");
      if (!here.ok) return noOwner(here.problem);
      return findLent(sql, caller, of, seconds(Date.now()));
    });
  }

  /** For the object of an account that would share with this one. */
  hasRoomFor(of: Coming): boolean {
    return !hasStore(this.ctx) || hasRoomFor(this.#store.sql, of, seconds(Date.now()));
  }

  /** From the object of another account, in order: what it has shared with this one, and what has ended. What there is no room for is refused, and recorded. */
  hear(news: ShareNews[]): Result<null> {
    const { store } = this.#open();
    for (const one of news) {
      const resource = `account/${this.#account}/from/${one.from}`;
      const about = { action: "datastore:receive", caller: null, resource, requestId: one.requestId };
      authorize<null>(store, about, (sql) => {
        const lives = checkLives(sql);
        return lives.ok ? takeNews(sql, one, seconds(Date.now())) : lives;
      });
    }
    return ok(null);
  }

  listReceived(caller: Caller, after?: number): Promise<Result<ReceivedPage>> {
    return this.#decide("datastore:list-received", caller, `account/${this.#account}`, (sql) =>
      ok(listReceived(sql, caller.client, after, seconds(Date.now()))),
    );
  }

  /** Whose a received document is: that account's object decides too. */
  received(caller: Caller, share: string): Promise<Result<{ from: string }>> {
    return this.#decide("datastore:read-received", caller, `share/${share}`, (sql) =>
      findReceived(sql, caller.client, share),
    );
  }

  removeReceived(caller: Caller, share: string): Promise<Result<null>> {
    return this.#decide("datastore:remove-received", caller, `share/${share}`, (sql) => {
      endReceived(sql, caller.client, share);
      return ok(null);
    });
  }

  putReceivedCopy(caller: Caller, share: string, copy: string): Promise<Result<null>> {
    return this.#decide("datastore:put-received-copy", caller, `share/${share}`, (sql) =>
      keepCopy(sql, caller.client, share, copy),
    );
  }

  /** What the account uses and may use, for an admin, which the IAM has said of the caller. */
  async quota(caller: Caller): Promise<Result<AccountQuota>> {
    return this.#administer("datastore:quota", caller, (sql) =>
      ok(readQuota(sql, this.#account, this.#most)),
    );
  }

  /** The same says what it may use. Errors: `quota-exceeded`. */
  async setQuota(caller: Caller, quota: SetQuota): Promise<Result<null>> {
    const by = { by: caller.user, now: seconds(Date.now()) };
    return this.#administer("datastore:set-quota", caller, (sql) => setQuota(sql, quota, this.#most, by));
  }

  /** For an admin of the tenant, who need not be a member. */
  async #administer<T>(
    action: string,
    caller: Caller,
    work: (sql: SqlStorage) => Decision<T>,
  ): Promise<Result<T>> {
    const { store, handover } = this.#open();
    // What an earlier release has of it counts.
    await handover.take();
    return authorize(store, aboutRequest(action, caller, `account/${this.#account}`), (sql) => {
      const lives = checkLives(sql);
      return lives.ok ? work(sql) : lives;
    });
  }

  /** The IAM's word on a user is not what it was. */
  left(user: string): void {
    this.#members.end(user);
  }

  /**
   * The account is shredded: from now on everything is refused, and what there is goes from R2 by alarm, what an earlier release
   * kept of it too. Heard again, it changes nothing.
   */
  async shredded(requestId: string): Promise<Result<null>> {
    this.#members.end();
    const { store, handover, outbox } = this.#open();
    // All rows are here before they go, so that none comes over afterwards.
    await handover.take();
    // Before the decision: whatever becomes of this object then, its alarm comes.
    await wakeBy(this.ctx.storage, Date.now() + ERASE_AFTER_MS);
    if (readShredded(store.sql) !== null) return ok(null);
    const resource = `account/${this.#account}`;
    const about = { action: "datastore:shred", caller: null, resource, requestId };
    const shredded = authorize<null>(store, about, (sql) => {
      shred(sql, Date.now());
      endGiven(sql, { requestId, from: this.#account });
      endAllReceived(sql);
      return ok(null);
    });
    if (shredded.ok) await outbox.send();
    return shredded;
  }

  /** For the IAM, which has decided: Enc(account), where that has its place here (W15). Nothing of an account that is shredded. */
  keep(name: string, value: Uint8Array<ArrayBuffer>, requestId: string): Result<null> {
    return this.#forIam("datastore:keep", requestId, (sql) => {
      keep(sql, name, value);
      return ok(null);
    });
  }

  kept(name: string, requestId: string): Result<Uint8Array<ArrayBuffer> | null> {
    if (!hasStore(this.ctx)) return ok(null);
    return this.#forIam("datastore:kept", requestId, (sql) => ok(readKept(sql, name)));
  }

  forget(name: string, requestId: string): Result<null> {
    if (!hasStore(this.ctx)) return ok(null);
    return this.#forIam("datastore:forget", requestId, (sql) => {
      forgetKept(sql, name);
      return ok(null);
    });
  }

  /** For the IAM, which has decided: key identifiers, where they have their place here (W15). */
  keyIdentifiers(asked: IdentifierAsk, requestId: string): Result<Identified> {
    return this.#forIam("datastore:key-identifiers", requestId, (sql) => ok(askIdentifiers(sql, asked)));
  }

  /**
   * The write of a document that is not complete already begins. Without its copy a document is listed all the same; its name is read
   * from its metadata then.
   */
  #begin(
    sql: SqlStorage,
    { client }: Caller,
    begun: Decision<DocumentRow>,
    listed: Listed | undefined,
  ): Decision<DocumentRow> {
    if (!begun.ok || begun.value.state === "complete") return begun;
    const { id } = begun.value;
    this.#sweepLater();
    beginWrite(sql, id);
    if (listed) keepListed(sql, { client, edk: listed.edk, documents: [{ id, sealed: listed.sealed }] });
    return begun;
  }

  #forIam<T>(action: string, requestId: string, check: (sql: SqlStorage) => Decision<T>): Result<T> {
    const about = { action, caller: null, resource: `account/${this.#account}`, requestId };
    return authorize<T>(this.#store, about, (sql) => {
      const lives = checkLives(sql);
      return lives.ok ? check(sql) : lives;
    });
  }

  override async alarm(): Promise<void> {
    if (!hasStore(this.ctx)) return;
    const { store, handover, outbox } = this.#open();
    await store.flush();
    await outbox.alarm();
    // A document that was swept before its parts are here would leave them behind.
    if (!(await handover.settle())) return;
    const times =
      readShredded(store.sql) === null
        ? [endDeleted(store, Date.now()), await sweep(store, this.env.DOCUMENTS)]
        : [await erase(store, this.env.DOCUMENTS, this.#account)];
    const due = times.filter((time) => time !== null);
    if (due.length > 0) await wakeBy(this.ctx.storage, Math.min(...due));
  }

  get #account(): string {
    const { name } = this.ctx.id;
    return name === undefined ? subjectOf(this.#store.sql) : name.slice(name.indexOf("/") + 1);
  }

  get #store(): Store {
    return this.#open().store;
  }

  #open(): Opened {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "datastore", audit: env.AUDIT_DATASTORE, migrations: MIGRATIONS });
    const account = subjectOf(store.sql);
    const earlier = () => env.DATASTORE_OBJECT.getByName(store.tenant);
    const handover = openHandover<Moved>(ctx.storage, store, {
      source: {
        page: (after) => earlier().handover(account, after),
        forget: () => earlier().forget(account),
      },
      insert: insertMoved,
    });
    // An eviction before the alarm was set must not leave documents behind.
    if (readShredded(store.sql)?.erased === null)
      ctx.waitUntil(wakeBy(ctx.storage, Date.now() + ERASE_AFTER_MS));
    const outbox = openOutbox<ShareNews>(ctx, (addressee, news) => {
      const other = addressee.slice(addresseeOf("").length);
      return env.DATASTORE_ACCOUNT_OBJECT.getByName(`${store.tenant}/${other}`).hear(news);
    });
    this.#opened = { store, handover, outbox };
    return this.#opened;
  }

  async #decide<T>(
    action: string,
    caller: Caller,
    resource: string,
    check: (sql: SqlStorage) => Decision<T>,
  ): Promise<Result<T>> {
    const member = await this.#members.check(caller);
    return this.#decideFor(member, aboutRequest(action, caller, resource), check);
  }

  async #decideFor<T>(
    member: Result<AccountRole>,
    about: AuthorizeRequest,
    check: (sql: SqlStorage) => Decision<T>,
  ): Promise<Result<T>> {
    if (!member.ok) return this.#refuse(member.problem, about);
    const { store, handover } = this.#open();
    await handover.take();
    return authorize(store, about, (sql) => {
      const lives = checkLives(sql);
      if (!lives.ok) return lives;
      if (member.value === "reader" && !READS.has(about.action))
        return refuse("forbidden", "a reader changes nothing");
      return check(sql);
    });
  }

  /** Accounts that documents were shared with hear what was decided. */
  async #telling<T>(deciding: Promise<Result<T>>): Promise<Result<T>> {
    const decision = await deciding;
    if (decision.ok) await this.#open().outbox.send();
    return decision;
  }

  /** Recorded where there is an account: what somebody made up stays empty. */
  #refuse({ code }: Problem, about: AuthorizeRequest): Result<never> {
    if (!hasStore(this.ctx)) return fail(code);
    return authorize<never>(this.#store, about, () => refuse(code, "the IAM knows no such member"));
  }

  #sweepLater(): void {
    this.ctx.waitUntil(wakeBy(this.ctx.storage, Date.now() + STUCK_MS));
  }
}

/** Whose documents somebody would have, by the word of the IAM. */
function noOwner({ code }: Problem): Refusal {
  return refuse(code === "not-found" ? "share-ended" : code, "the owner's account lends nothing");
}

function aboutRequest(action: string, caller: Caller, resource: string): AuthorizeRequest {
  return { action, caller, resource: resource.slice(0, 128), requestId: caller.requestId };
}
