import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type { DeletionRequest, KeyIdentifierRequest } from "#protocol/contract/index.ts";
import type { AccountKeys } from "#protocol/hierarchy/index.ts";
import { ownAccountId } from "#protocol/principal.ts";
import type { AccountRole } from "#protocol/roles.ts";
import { wakeBy } from "../alarm.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { daySeconds } from "../days.ts";
import { openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import type { ListedIdentifier } from "../key-identifiers.ts";
import { intend, isWaiting, type Outbox, openOutbox } from "../outbox.ts";
import { type Decision, fail, ok, type Result, refuse } from "../result.ts";
import { hasStore, openStore, type Store, subjectOf } from "../store.ts";
import { tenantNamed } from "../tenants.ts";
import { within } from "../within.ts";
import { accountKeyOf, currentAccountKey, keepAccountKey, type OrderedAccountKey } from "./account-keys.ts";
import {
  addVersion,
  endVersionNow,
  keepVersion,
  listVersions,
  type OfCustodian,
  renewAccountKey,
  scheduleVersion,
} from "./custodian-keys.ts";
import { cancelEnd, endOf, scheduledEnd, scheduleEnd, settlingSeconds } from "./deletion.ts";
import type { Moved } from "./earlier.ts";
import { endAccount, removeMember, shredAccount } from "./ends.ts";
import { makeFirstKeys } from "./first-keys.ts";
import { type Followed, followMaster, type MovedKey } from "./follow-master.ts";
import {
  type DataKeyOrder,
  deleteDataKey,
  encryptedAccountKey,
  type Keeper,
  keepMadeAccountKey,
  keyIdentifier,
  type MadeAccountKey,
  type NewDataKey,
  type OfInstance,
  renewDataKey,
  rotateAccountKey,
  stillStands,
  type ToldIdentifier,
  type Waited,
} from "./instance-keys.ts";
import { type Keeping, KeptKeys, storeOf } from "./kept-keys.ts";
import {
  checkMember,
  checkOwner,
  isFounded,
  isMember,
  isOwner,
  keepAccount,
  listMembers,
  type MemberRow,
  putMember,
} from "./members.ts";
import type { End, FirstKeys, Founding, Join } from "./news.ts";
import { type IdentifierKeeping, PlacedIdentifiers } from "./placed-identifiers.ts";
import { accountMigrations } from "./schema.ts";
import type { AccountKey, ReceivingKey } from "./types.ts";

/** `ends`: when it will be deleted, seconds since 1970. */
export type AccountState = { id: string; name: string; created: number; ends: number | null };

type Opened = {
  store: Store;
  ledger: Ledger;
  outbox: Outbox;
  keys: KeptKeys;
  identifiers: PlacedIdentifiers;
};

/** What the IAM needs of its neighbours. */
interface Neighbours {
  KMS: IdentifierKeeping & {
    /** W11: a new key for the account, made and encrypted in the HSM. */
    orderAccountKey(
      of: OfAccount & { kind: AccountKeys; made?: Pick<OrderedAccountKey, "wrapped" | "master"> },
    ): Promise<Result<OrderedAccountKey>>;
    /** W10, W11: a data key of the account, made, signed and kept in the HSM. */
    orderDataKey(order: DataKeyOrder): Promise<Result<NewDataKey>>;
    deleteDataKey(of: OfAccount & { client: string; key: string }): Promise<Result<null>>;
    /** W12: identifier of the tenant's master key, and keys of an account under it. */
    currentMasterKey(of: { tenant: string }): Promise<Result<string | null>>;
    moveAccountKeys(of: OfAccount & { keys: MovedKey[] }): Promise<Result<MovedKey[]>>;
    scheduleDataKey(
      of: OfAccount & { client: string; key: string; ends: number | null },
    ): Promise<Result<null>>;
    left(of: OfAccount): Promise<Result<null>>;
    shredded(of: OfAccount): Promise<Result<null>>;
    /** W12: the account lives, for the list of those that a rotation goes through. */
    listed(of: Pick<OfAccount, "tenant" | "account">): Promise<Result<null>>;
  };
  DATASTORE: Keeping &
    IdentifierKeeping & {
      left(of: OfAccount & { user: string }): Promise<Result<null>>;
      shredded(of: OfAccount): Promise<Result<null>>;
    };
}
/** Where a key goes to the KMS alone it may stand under the old master key a little longer. Milliseconds. */
const FOLLOW_MS = 60_000;
/** How long who begins an account waits for its first keys: they come all the same. Milliseconds. */
const FIRST_KEYS_MS = 1000;

/** An account key for a member, and what that member is. */
type MembersKey = AccountKey & { as: AccountRole };
type OfAccount = { tenant: string; account: string; requestId: string };

/**
 * One account, named `<tenant>/<account>`: the authority on who its members are, and Enc(account key). A request may name any
 * account: an object that nobody founded keeps nothing and refuses.
 */
export class IamAccountObject extends DurableObject<Env> {
  #opened: Opened | undefined;
  /** The account key that is being made, so that two first requests make one. */
  #making: Promise<Result<AccountKey>> | undefined;
  /** The keys that move under another master key, and when it was last asked whether there is one. */
  #following: Promise<Result<Followed>> | undefined;
  #followed = Number.NEGATIVE_INFINITY;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    // An eviction before the alarm was set must not keep an account beyond its time.
    if (hasStore(ctx)) ctx.waitUntil(this.#wakeAtEnd(this.#open().store));
  }

  override async alarm(): Promise<void> {
    const { store, outbox, ledger } = this.#open();
    await store.flush();
    this.#endInTime(store);
    await outbox.alarm();
    await ledger.sweep();
    await this.#wakeAtEnd(store);
  }

  /** W11: the time of a scheduled deletion has come. It is decided in one transaction: a crash leaves all of it to do, or nothing. */
  #endInTime(store: Store): void {
    const now = seconds(Date.now());
    const ends = scheduledEnd(store.sql);
    if (ends === null || ends > now) return;
    const requestId = crypto.randomUUID();
    const resource = `account/${subjectOf(store.sql)}`;
    authorize(store, { action: "iam:shred-account", caller: null, resource, requestId }, (sql) =>
      endAccount(sql, { requestId, now }),
    );
  }

  async #wakeAtEnd({ sql }: Store): Promise<void> {
    const ends = scheduledEnd(sql);
    if (ends !== null) await wakeBy(this.ctx.storage, Math.max(ends * 1000, Date.now()));
  }

  /** Begins the account: with its first member, or as an earlier release knew it. */
  async found(founding: Founding): Promise<Result<null>> {
    const { account, principal, requestId, earlier } = founding;
    if (this.#opened && isFounded(this.#opened.store.sql)) return this.#foundAgain(this.#opened, founding);
    const [tenant = "", own] = this.ctx.id.name?.split("/") ?? [];
    if (own !== account) return fail("forbidden");
    const begun = earlier
      ? await this.env.IAM_OBJECT.getByName(tenant).accountOfBefore(account)
      : await newAccount(tenant, founding);
    if (begun === null) return fail("forbidden");
    const { app } = founding;
    return this.#begin(begun, { account, user: principal, earlier, requestId, ...(app && { app }) });
  }

  async #begin(
    begun: Moved,
    {
      account,
      earlier,
      app,
      ...by
    }: { account: string; user?: string; app?: string; earlier: boolean; requestId: string },
  ): Promise<Result<null>> {
    const { store, outbox } = this.#open();
    const { user: owner = "", requestId } = by;
    const about = { action: "iam:account", caller: null, resource: `account/${account}`, ...by };
    const founded = authorize<null>(store, about, (sql) => {
      keepAccount(sql, account, begun);
      if (earlier) intend(sql, "tenant", { moved: account } satisfies Moving);
      intend(sql, "listed", { listed: account } satisfies Moving);
      if (app !== undefined) intend(sql, "first-keys", { owner, app, requestId } satisfies FirstKeys);
      return ok(null);
    });
    // Whoever makes it, at a first sign-in too, waits for its keys where the HSM is quick, and for no other.
    await within(FIRST_KEYS_MS, outbox.send(), () => {});
    return founded;
  }

  /** A principal that comes from an earlier release after the account has ended for it keeps no copy of the membership. */
  async #foundAgain({ store, outbox }: Opened, { principal, requestId }: Founding): Promise<Result<null>> {
    if (scheduledEnd(store.sql) !== null || checkMember(store.sql, principal).ok) return ok(null);
    intend(store.sql, `left/${principal}`, { to: "principal", left: principal, requestId } satisfies End);
    await outbox.send();
    return ok(null);
  }

  isFounded(): boolean {
    return this.#opened !== undefined;
  }

  /** For a neighbour, who records what it decides by it. */
  member(caller: Caller): Result<AccountRole> {
    const sql = this.#opened?.store.sql;
    if (sql === undefined) return fail("forbidden");
    const decision = checkMember(sql, caller.user);
    return decision.ok ? decision : { ok: false, problem: decision.problem };
  }

  /** W11: the key that a member may have if the sign-in lives; null where there is none, or for nobody's member. Makes none, and records nothing of the caller. */
  async keptAccountKey(caller: Caller, id?: string): Promise<MembersKey | null> {
    if (this.#opened === undefined) return null;
    const { store, keys } = this.#opened;
    const { sql, tenant } = store;
    if (caller.tenant !== tenant || !checkMember(sql, caller.user).ok) return null;
    if (Date.now() >= this.#followed + FOLLOW_MS)
      this.ctx.waitUntil(this.#followMaster(this.#opened.store, caller.requestId));
    // Where there is none of the id, the KMS sees that the current one is another.
    const found = (id === undefined ? null : accountKeyOf(sql, id)) ?? currentAccountKey(sql);
    if (found === null) return null;
    const whole = await keys.whole(found, caller.requestId);
    // Where it is not to be had now, the decision on it says so.
    const member = checkMember(sql, caller.user);
    return whole.ok && member.ok ? { ...whole.value, as: member.value } : null;
  }

  /** The same, made at the first request, for a member whose sign-in lives; what is refused is recorded. */
  async accountKey(account: string, caller: Caller): Promise<Result<MembersKey>> {
    if (this.#opened === undefined) return fail("forbidden");
    const { store } = this.#opened;
    const { requestId } = caller;
    const about = { action: "iam:account-key", caller, resource: `account/${account}`, requestId };
    const decision = authorize(store, about, (sql) => checkMember(sql, caller.user));
    if (!decision.ok) return decision;
    const key = await this.#accountKey(store, { account, requestId });
    if (!key.ok && key.problem.code !== "forbidden") return key;
    // While the HSM made it the member may have left, or the account been shredded.
    const still = checkMember(store.sql, caller.user);
    if (key.ok && still.ok) return ok({ ...key.value, as: still.value });
    const released = { ...about, action: "iam:release-account-key" };
    return authorize<never>(store, released, () =>
      refuse("forbidden", "the account or membership has ended"),
    );
  }

  /** The current key, for what a caller who need not be a member shares with the account. An account that nobody founded keeps nothing of it. */
  async receivingKey(account: string, caller: Caller): Promise<Result<Omit<ReceivingKey, "from">>> {
    if (this.#opened === undefined) return fail("not-found");
    const { store } = this.#opened;
    const { requestId } = caller;
    const about = { action: "iam:receive-share", caller, resource: `account/${account}`, requestId };
    const found = authorize(store, about, checkReceives);
    if (!found.ok) return found;
    const key = await this.#accountKey(store, { account, requestId });
    if (!key.ok) return key;
    // While the HSM made it the account may have been shredded.
    const lives = checkReceives(store.sql);
    return lives.ok ? ok({ key: key.value, name: lives.value }) : authorize<never>(store, about, () => lives);
  }

  /** Whether the account takes what is shared with it. */
  receives(): Result<null> {
    if (this.#opened === undefined) return fail("not-found");
    const found = checkReceives(this.#opened.store.sql);
    return found.ok ? ok(null) : fail(found.problem.code);
  }

  /** W2: which data key is for data of this account. */
  async keyIdentifier(
    of: OfInstance,
    request: KeyIdentifierRequest,
  ): Promise<Result<Waited<ToldIdentifier>>> {
    return this.#opened ? keyIdentifier(this.#keeper(this.#opened), of, request) : fail("forbidden");
  }

  /** W2: Enc(account). */
  async encryptedAccountKey(of: OfInstance, id?: string): Promise<Result<Waited<AccountKey>>> {
    if (this.#opened === undefined) return fail("forbidden");
    // Nobody else has the HSM work; what is refused is decided below, and recorded.
    if (checkMember(this.#opened.store.sql, of.caller.user).ok)
      await this.#followMaster(this.#opened.store, of.caller.requestId);
    return encryptedAccountKey(this.#keeper(this.#opened), of, id);
  }

  async rotateAccountKey(of: OfInstance): Promise<Result<Waited<AccountKey>>> {
    return this.#opened ? rotateAccountKey(this.#keeper(this.#opened), of) : fail("forbidden");
  }

  async keepAccountKey(of: OfInstance, made: MadeAccountKey): Promise<Result<Waited<AccountKey>>> {
    return this.#opened ? keepMadeAccountKey(this.#keeper(this.#opened), of, made) : fail("forbidden");
  }

  async renewDataKey(
    of: OfInstance,
    request: Parameters<typeof renewDataKey>[2],
  ): Promise<Result<Waited<{ edk: string }>>> {
    return this.#opened ? renewDataKey(this.#keeper(this.#opened), of, request) : fail("forbidden");
  }

  async deleteDataKey(of: OfInstance, key: string): Promise<Result<null>> {
    return this.#opened ? deleteDataKey(this.#keeper(this.#opened), of, key) : fail("forbidden");
  }

  /** Whether an instance may have what the HSM was waited for. */
  stillStands(of: OfInstance): Result<null> {
    return this.#opened ? stillStands(this.#opened.store, of) : fail("forbidden");
  }

  /**
   * W12: for the rotation, which goes through all accounts. One that nobody has used since an earlier release takes its keys over now. One that was never founded, or is
   * shredded, has no keys that could move.
   */
  async followMaster(requestId: string): Promise<Result<Followed>> {
    const { KMS } = neighboursOf(this.env);
    const [tenant = "", account = ""] = this.ctx.id.name?.split("/") ?? [];
    if (this.#opened === undefined) {
      const before = await this.env.IAM_OBJECT.getByName(tenant).accountOfBefore(account);
      if (before !== null && this.#opened === undefined) {
        const begun = await this.#begin(before, { account, earlier: true, requestId });
        if (!begun.ok) return begun;
      }
    }
    if (this.#opened) return this.#followMaster(this.#opened.store, requestId);
    const current = await KMS.currentMasterKey({ tenant });
    return current.ok ? ok({ master: current.value, left: 0 }) : current;
  }

  /** W12: once the officer has replaced the master key, the account's keys move under the new one when they are next asked for, too. */
  #followMaster(store: Store, requestId: string): Promise<Result<Followed>> {
    this.#followed = Date.now();
    const { KMS } = neighboursOf(this.env);
    this.#following ??= followMaster(store, { KMS, places: this.#open().keys }, requestId).finally(() => {
      this.#following = undefined;
    });
    return this.#following;
  }

  #keeper({ store, keys, identifiers }: Opened): Keeper {
    const { KMS } = neighboursOf(this.env);
    return {
      dataKeys: tenantNamed(this.env, store.tenant).dataKeys,
      settling: settlingSeconds(this.env),
      store,
      identifiers,
      accountKey: (of) => this.#accountKey(store, of),
      orderAccountKey: (of) => this.#order(store, of),
      whole: (key, requestId) => keys.whole(key, requestId),
      orderDataKey: (order) => KMS.orderDataKey(order),
      deleteDataKey: (of) => KMS.deleteDataKey(of),
      scheduleDataKey: (of) => KMS.scheduleDataKey(of),
    };
  }

  /** An owner, signed in, ends the account for all. Asked for again, it is the same. Errors: `forbidden`. */
  #shred(caller: Caller): Promise<Result<null>> {
    const { user, requestId } = caller;
    return this.#end("iam:shred-account", caller, (sql) =>
      shredAccount(sql, { user, requestId, now: seconds(Date.now()) }),
    );
  }

  /** W11: what a member may know of it, scheduled for deletion or not. What is refused is recorded. */
  read(caller: Caller): Result<AccountState> {
    if (this.#opened === undefined) return fail("forbidden");
    const { store } = this.#opened;
    const { sql } = store;
    const resource = `account/${subjectOf(sql)}`;
    const about = { action: "iam:read-account", caller, resource, requestId: caller.requestId };
    if (!isMember(sql, caller.user))
      return authorize<never>(store, about, () =>
        refuse("forbidden", "the user is not a member of this account"),
      );
    const [row] = sql
      .exec<AccountState>("SELECT id, name, created, ends FROM account WHERE deleted IS NULL")
      .toArray();
    return row === undefined ? fail("forbidden") : ok(row);
  }

  /** W11: from now on refused to all, and deleted when it is time. Errors: `forbidden`. */
  async scheduleDeletion(caller: Caller, request: DeletionRequest): Promise<Result<{ ends: number }>> {
    const now = seconds(Date.now());
    const ends = endOf(request, now, daySeconds(this.env));
    if (request.immediately) {
      const shredded = await this.#shred(caller);
      return shredded.ok ? ok({ ends }) : shredded;
    }
    if (this.#opened === undefined) return fail("forbidden");
    const { store, outbox } = this.#opened;
    const { user, requestId } = caller;
    const about = { action: "iam:schedule-deletion", caller, resource: `account/${subjectOf(store.sql)}` };
    const decision = authorize(store, { ...about, requestId }, (sql) => scheduleEnd(sql, user, ends));
    await this.#wakeAtEnd(store);
    await outbox.send();
    return decision;
  }

  /** W11: kept after all. Errors: `forbidden`. */
  async cancelDeletion(caller: Caller): Promise<Result<null>> {
    return this.#end("iam:cancel-deletion", caller, (sql) =>
      cancelEnd(sql, caller.user, seconds(Date.now())),
    );
  }

  async listVersions(of: OfCustodian): Promise<Result<ListedIdentifier[]>> {
    return this.#opened ? listVersions(this.#keeper(this.#opened), of) : fail("forbidden");
  }

  async renewAccountKey(of: OfCustodian): Promise<Result<AccountKey>> {
    return this.#opened ? renewAccountKey(this.#keeper(this.#opened), of) : fail("forbidden");
  }

  async addVersion(
    of: OfCustodian,
    versioned: boolean,
  ): Promise<Result<{ keyId: string; keyVersion: number }>> {
    return this.#opened ? addVersion(this.#keeper(this.#opened), of, versioned) : fail("forbidden");
  }

  async scheduleVersion(
    of: OfCustodian,
    key: string,
    request: DeletionRequest,
  ): Promise<Result<{ ends: number }>> {
    if (this.#opened === undefined) return fail("forbidden");
    const keeper = this.#keeper(this.#opened);
    const ends = endOf(request, seconds(Date.now()), daySeconds(this.env));
    if (!request.immediately) return scheduleVersion(keeper, of, key, ends);
    const ended = await endVersionNow(keeper, of, key);
    return ended.ok ? ok({ ends }) : ended;
  }

  async keepVersion(of: OfCustodian, key: string): Promise<Result<null>> {
    return this.#opened ? keepVersion(this.#keeper(this.#opened), of, key) : fail("forbidden");
  }

  /** For its members. */
  members(caller: Caller): Result<MemberRow[]> {
    if (this.#opened === undefined) return fail("forbidden");
    const { store } = this.#opened;
    const resource = `account/${subjectOf(store.sql)}/members`;
    const about = { action: "iam:list-members", caller, resource, requestId: caller.requestId };
    return authorize(store, about, (sql) => {
      const member = checkMember(sql, caller.user);
      return member.ok ? ok(listMembers(sql)) : member;
    });
  }

  /** Whether the caller, an owner, may read what was decided about the account. Errors: `forbidden`. */
  readAudit(caller: Caller, page: boolean): Result<null> {
    if (this.#opened === undefined) return fail("forbidden");
    const { store } = this.#opened;
    const { requestId } = caller;
    const about = { action: "iam:read-audit", caller, resource: `audit/${subjectOf(store.sql)}`, requestId };
    return authorize<null>(store, about, (sql) => {
      if (!page) return refuse("forbidden", "the audit is read by the shipped page's client alone");
      // Before the deletion of an account its owners see what has become of it.
      return isOwner(sql, caller.user) ? ok(null) : refuse("forbidden", "the user owns no such account");
    });
  }

  /**
   * Of an owner: another member, or another role for one. `cannot`: why that principal cannot become one. Errors: `forbidden`, `conflict`,
   * `not-found`, `quota-exceeded`.
   */
  putMember(
    caller: Caller,
    member: Omit<MemberRow, "since">,
    cannot: "not-found" | "quota-exceeded" | null,
  ): Promise<Result<null>> {
    const by = { by: caller.user, now: seconds(Date.now()) };
    const check = (sql: SqlStorage): Decision<null> => {
      if (cannot === null) return putMember(sql, member, by);
      const owner = checkOwner(sql, caller.user);
      return owner.ok ? refuse(cannot, "nobody of that id can become a member") : owner;
    };
    return this.#end("iam:put-member", caller, check, `/member/${member.user}`);
  }

  /** Of an owner, or the member itself. Errors: `forbidden`, `conflict`. */
  removeMember(caller: Caller, user: string): Promise<Result<null>> {
    const by = { by: caller.user, requestId: caller.requestId };
    return this.#end("iam:remove-member", caller, (sql) => removeMember(sql, user, by), `/member/${user}`);
  }

  async #end(
    action: string,
    caller: Caller,
    check: (sql: SqlStorage) => Decision<null>,
    what = "",
  ): Promise<Result<null>> {
    if (this.#opened === undefined) return fail("forbidden");
    const { store, outbox } = this.#opened;
    const resource = `account/${subjectOf(store.sql)}${what}`;
    const decision = authorize(store, { action, caller, resource, requestId: caller.requestId }, check);
    // The others have heard before the one who asked goes on.
    await outbox.send();
    return decision;
  }

  #accountKey(store: Store, of: { account: string; requestId: string }): Promise<Result<AccountKey>> {
    const current = currentAccountKey(store.sql);
    if (current !== null) return this.#open().keys.whole(current, of.requestId);
    this.#making ??= this.#orderAccountKey(store, of).finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** `forbidden` where the account was shredded meanwhile. */
  async #orderAccountKey(
    store: Store,
    of: { account: string; requestId: string },
  ): Promise<Result<AccountKey>> {
    // A rotation must not end without an account that has a key under the master key of before.
    if (isWaiting(store.sql, "listed")) {
      const { tenant } = store;
      // Not by the outbox, which may be waiting for this very key. Heard twice it is the same.
      const listed = await neighboursOf(this.env).KMS.listed({ tenant, account: of.account });
      if (!listed.ok) return listed;
    }
    const ordered = await this.#order(store, of);
    if (!ordered.ok) return ordered;
    keepAccountKey(store.sql, ordered.value);
    const key = currentAccountKey(store.sql);
    return key === null ? fail("forbidden") : this.#open().keys.whole(key, of.requestId);
  }

  /** Another account key, which is where it has its place before a row names it. */
  async #order(
    { tenant }: Store,
    { account, requestId, made }: Parameters<Keeper["orderAccountKey"]>[0],
  ): Promise<Result<OrderedAccountKey & { id: string }>> {
    const { KMS } = neighboursOf(this.env);
    const { kind, of } = { kind: this.#kind(tenant), of: { tenant, account, requestId } };
    const ordered = await KMS.orderAccountKey({ ...of, kind, ...(made && { made }) });
    if (!ordered.ok) return ordered;
    return this.#open().keys.put({ id: crypto.randomUUID(), ...ordered.value }, requestId);
  }

  /** What new account keys are, by the tenant's configuration (W1). */
  #kind(tenant: string): AccountKeys {
    return tenantNamed(this.env, tenant).accountKeys;
  }

  #open(): Opened {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "iam", audit: env.AUDIT_IAM, migrations: accountMigrations });
    // An earlier release made account keys itself: what it left at the HSM goes.
    const ledger = openLedger(ctx, openHsm(env.HSM_IAM, env.COFFER_HSM_URL_IAM || env.COFFER_HSM_URL), "iam");
    const outbox = openOutbox<Moving | End | Join | FirstKeys>(ctx, (_, messages) =>
      this.#deliver(store, messages),
    );
    const keys = new KeptKeys(env, store, { tenant: store.tenant, account: subjectOf(store.sql) });
    const { KMS, DATASTORE } = neighboursOf(env);
    const places = { app: DATASTORE, kms: KMS };
    const identifiers = new PlacedIdentifiers(env, store, subjectOf(store.sql), places);
    this.#opened = { store, ledger, outbox, keys, identifiers };
    return this.#opened;
  }

  /** One after the other, but for principals, who come last. */
  async #deliver(
    { sql, tenant }: Store,
    messages: (Moving | End | Join | FirstKeys)[],
  ): Promise<Result<null>> {
    const account = subjectOf(sql);
    const leavers: Promise<Result<null>>[] = [];
    for (const message of messages) {
      // One who has left and comes again: in this order.
      if ("joined" in message) await Promise.all(leavers);
      const told = this.#tell(tenant, account, message);
      if ("left" in message && message.to === "principal") {
        leavers.push(told);
        continue;
      }
      const heard = await told;
      if (!heard.ok) return heard;
    }
    const heard = await Promise.all(leavers);
    return heard.find(({ ok }) => !ok) ?? ok(null);
  }

  #tell(tenant: string, account: string, message: Moving | End | Join | FirstKeys): Promise<Result<null>> {
    const { IAM_OBJECT, IAM_PRINCIPAL_OBJECT } = this.env;
    const { KMS, DATASTORE } = neighboursOf(this.env);
    if ("owner" in message)
      return makeFirstKeys(this.#keeper(this.#open()), tenantNamed(this.env, tenant), {
        account,
        ...message,
      });
    if ("moved" in message) return IAM_OBJECT.getByName(tenant).moved(message.moved);
    if ("listed" in message) return KMS.listed({ tenant, account: message.listed });
    if ("joined" in message) {
      const { joined, name, created } = message;
      return IAM_PRINCIPAL_OBJECT.getByName(`${tenant}/${joined}`).joined({ account, name, created });
    }
    const { requestId } = message;
    const of = { tenant, account, requestId };
    if ("left" in message) {
      const { to, left: user } = message;
      if (to === "kms") return KMS.left(of);
      return to === "datastore"
        ? DATASTORE.left({ ...of, user })
        : IAM_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`).left(account);
    }
    if (message.to === "tenant") return IAM_OBJECT.getByName(tenant).shredded(account);
    if (message.to === "store") return storeOf(this.env).shredded(of);
    return message.to === "kms" ? KMS.shredded(of) : DATASTORE.shredded(of);
  }
}

/** Its name, where it takes what is shared. */
function checkReceives(sql: SqlStorage): Decision<string> {
  const [row] = sql
    .exec<{ name: string; ends: number | null }>("SELECT name, ends FROM account WHERE deleted IS NULL")
    .toArray();
  if (row === undefined) return refuse("not-found", "the account is shredded");
  return row.ends === null ? ok(row.name) : refuse("not-found", "the account is scheduled for deletion");
}

function neighboursOf(env: Env): Neighbours {
  return { KMS: env.KMS_FOR_IAM, DATASTORE: env.DATASTORE_FOR_IAM };
}

/** For the tenant's object: an account's own has it now; for the KMS's list: there is this account. */
type Moving = { moved: string } | { listed: string };

/** An id is of its first member: nobody founds what could be another's. */
async function newAccount(
  tenant: string,
  { account, principal, name, created, nonce }: Founding,
): Promise<Moved | null> {
  if (account !== (await ownAccountId({ tenant, principal, nonce }))) return null;
  return { name, created, deleted: null, members: [principal], keys: [] };
}
