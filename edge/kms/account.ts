import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type {
  AccountKeyRequest,
  DataKeysRequest,
  DescribedKey,
  ExportRequest,
  GrantKeysRequest,
  KeptKey,
  KeyChange,
  ListedKeys,
  ListKeysQuery,
  VersionChange,
  VersionPage,
  VersionsPut,
} from "#protocol/contract/index.ts";
import type {
  LoadAnswer,
  LoadRequest,
  Presentation,
  Presented,
  RetainedKeys,
  RetainedRequest,
  SealedSeed,
} from "#protocol/keys/index.ts";
import { type AuthorizeRequest, authorize } from "../authorize.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import { type Handover, openHandover } from "../handover.ts";
import { fromHsm } from "../hsm/index.ts";
import { openLedger } from "../hsm/keys/index.ts";
import { askIdentifiers, type Identified, type IdentifierAsk } from "../key-identifiers.ts";
import { fail, ok, type Refusal, type Result } from "../result.ts";
import { hasStore, openStore, subjectOf } from "../store.ts";
import { nameOf, type Version } from "./account-data-keys.ts";
import { type AccountKeyOrder, type Ordered, orderAccountKey } from "./account-keys.ts";
import { type ReleasedToInstance, releaseAccountKey } from "./account-release.ts";
import { tenantBackEnd } from "./back-ends/tenant.ts";
import { KeyCache } from "./cache/index.ts";
import { type Context, type Door, neighboursOf } from "./context.ts";
import { forgetEnded, markDataKey } from "./encrypted-data.ts";
import { endDataKey } from "./end-data-key.ts";
import { orderExport } from "./export.ts";
import { backEndOf, tenantHsm } from "./hsm.ts";
import { oneByOne } from "./in-turn.ts";
import { issueDataKeys } from "./issue.ts";
import { issueSeedKeys } from "./issue-seed.ts";
import { keptDataKeys } from "./kept-keys.ts";
import { changeKey, describeKey, listKeys, type OfKeys } from "./key-management.ts";
import {
  type Granted,
  grantSeveral,
  type Item,
  load,
  loadRetained,
  openSeedChannel,
  presentGrant,
  presentSeed,
} from "./loading/index.ts";
import { metadataKey } from "./metadata-key.ts";
import { type MovedKey, moveAccountKeys } from "./move-account-keys.ts";
import { insertMoved, type Moved } from "./moved.ts";
import { type Operated, type Operation, OperationPace, operate } from "./operating/index.ts";
import { type DataKeyOrder, type OrderedDataKey, orderDataKey } from "./order-data-key.ts";
import { type Policies, standingPolicies } from "./policies.ts";
import { DataKeyQuota } from "./quota.ts";
import { listDataKeys, readDataKey } from "./read-data-keys.ts";
import { StandingRecord } from "./record-standing.ts";
import { forgetResident, mostResident, wakeForResident } from "./resident-keys.ts";
import { forgetRetained, wakeForRetained } from "./retained-keys.ts";
import { rotateKey } from "./rotate-key.ts";
import { endDataKeysInTime, scheduleDataKey, wakeAtEnds } from "./schedule-data-key.ts";
import { MIGRATIONS } from "./schema.ts";
import { shareDocument, sharesOf, withdrawShare } from "./share.ts";
import { checkLives, isShredded, shred } from "./shred.ts";
import { cacheTimes } from "./times.ts";
import { askedTogether, Together } from "./together.ts";
import { isolateTrust } from "./trust.ts";
import { type Heads, putVersions, readVersions } from "./version-index.ts";
import { behind } from "./watched-door.ts";

type AfterDoor<F> = F extends (door: Door, ...rest: infer R) => unknown ? R : never;

/**
 * State and decisions of the KMS on one account; named `<tenant>/<account>`. Anyone may name an account: nothing is written
 * before the IAM has said that the caller is a member of it. It only wires: each of its methods is a file beside it.
 */
export class KmsAccountObject extends DurableObject<Env> {
  readonly #door: Door;
  readonly #quota: DataKeyQuota;
  readonly #pace: OperationPace;
  readonly #keys: KeyCache<string>;
  #opened: { kms: Context; handover: Handover } | undefined;
  #policies: Policies | undefined;
  readonly #heads: Heads = new Map();
  readonly #standing = new StandingRecord();
  readonly #inTurn = oneByOne();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#keys = new KeyCache((name) => markDataKey(this.#open().kms, name), cacheTimes(env));
    this.#quota = new DataKeyQuota(env.COFFER_DATA_KEYS_PER_HOUR);
    this.#pace = new OperationPace(env.COFFER_OPERATIONS_PER_MINUTE);
    this.#door = {
      neighbours: askedTogether(neighboursOf(env), new Together()),
      enter: async () => {
        const { kms, handover } = this.#open();
        await Promise.all([handover.take(), this.#readPolicies()]);
        ctx.waitUntil(this.#standing.record(kms, backEndOf(env, kms.store.tenant)));
        return kms;
      },
      refuse: (about, refusal) => this.#refuse(about, refusal),
    };
    // What was decided, and what was under way at the HSM, before it was evicted.
    if (hasStore(ctx)) {
      this.#open();
      ctx.waitUntil(Promise.all([wakeAtEnds(ctx.storage), this.#wakeForKeys()]));
    }
  }

  /** M6: new data keys for the account, as EDKs. */
  async dataKeys(
    caller: Caller,
    request: DataKeysRequest & { account: string },
  ): Promise<Result<{ edks: string[] }>> {
    const { seed } = request;
    if (seed !== undefined)
      return this.#behind((door) => issueSeedKeys(door, this.#quota, caller, { ...request, seed }));
    const issued = await this.#behind((door) => issueDataKeys(door, this.#quota, caller, request));
    await this.#wakeForKeys();
    return issued;
  }

  /** M17: the next version of the key of this EDK, verified. One after the other. */
  async rotateKey(caller: Caller, item: Item, certificate?: string): Promise<Result<{ edk: string }>> {
    const of = { item, certificate };
    const rotated = await this.#behind((door) => rotateKey(door, this.#quota, caller, of, this.#inTurn));
    await this.#wakeForKeys();
    return rotated;
  }

  /** The EDK of the key under which names are copied for the list. */
  async metadataKey(caller: Caller, account: string): Promise<Result<{ edk: string }>> {
    const found = await this.#behind((door) => metadataKey(door, this.#quota, caller, account, this.#inTurn));
    await this.#wakeForKeys();
    return found;
  }

  /** What stands where in the datastore, for who cannot take its word for it. */
  readVersions(caller: Caller, account: string, after: number): Promise<Result<VersionPage>> {
    return this.#behind((door) => readVersions(door, this.#heads, caller, { account, after }));
  }

  putVersions(caller: Caller, account: string, change: VersionChange): Promise<Result<VersionsPut>> {
    return this.#behind((door) => putVersions(door, caller, account, change));
  }

  /** A document for another account of the tenant. `item` is its EDK, verified. */
  share(...given: AfterDoor<typeof shareDocument>): ReturnType<typeof shareDocument> {
    return this.#behind((door) => shareDocument(door, ...given));
  }

  shares(...given: AfterDoor<typeof sharesOf>): ReturnType<typeof sharesOf> {
    return sharesOf(this.#door, ...given);
  }

  withdrawShare(...given: AfterDoor<typeof withdrawShare>): ReturnType<typeof withdrawShare> {
    return withdrawShare(this.#door, ...given);
  }

  /** A member has left: the next who asks has another metadata key. */
  async left(requestId: string): Promise<Result<null>> {
    if (!hasStore(this.ctx)) return ok(null);
    const { store } = this.#open().kms;
    const resource = `account/${subjectOf(store.sql)}`;
    const about = { action: "kms:member-left", caller: null, resource, requestId };
    return authorize<null>(store, about, (sql) => {
      sql.exec("DELETE FROM metadata_keys");
      return ok(null);
    });
  }

  /** M8: a data key for the caller's instance, by one of the ways. `items` are its EDKs, verified. */
  load(caller: Caller, request: LoadRequest, items: readonly Item[]): Promise<Result<LoadAnswer>> {
    return this.#behind((door) => load(door, caller, request, items));
  }

  /** M7: a grant by which the caller's instance loads these keys, once. */
  grant(caller: Caller, request: GrantKeysRequest, items: readonly Item[]): Promise<Result<Granted>> {
    return this.#behind((door) => grantSeveral(door, caller, request, items));
  }

  /** M7: what was granted here, for the instance that presents it. */
  async present(
    presentation: Presentation,
    items: readonly Item[],
    requestId: string,
  ): Promise<Result<Presented>> {
    if (!hasStore(this.ctx)) return fail("invalid-grant");
    return this.#behind(async ({ enter }) => presentGrant(await enter(), presentation, items, requestId));
  }

  /** M9: a grant for keys of a seed, presented: a channel to the HSM. */
  async openSeedChannel(
    presentation: Presentation,
    items: readonly Item[],
    requestId: string,
  ): Promise<Result<{ receipt: string }>> {
    if (!hasStore(this.ctx)) return fail("invalid-grant");
    return openSeedChannel(await this.#door.enter(), presentation, items, requestId);
  }

  /** M9: the seed, for the keys that it gives. */
  async presentSeed(seed: SealedSeed, items: readonly Item[], requestId: string): Promise<Result<Presented>> {
    if (!hasStore(this.ctx)) return fail("invalid-grant");
    return presentSeed(await this.#door.enter(), seed, items, requestId);
  }

  /** M16: an operation in the HSM, for the CaaS. `item` is the key's EDK, verified. */
  operate(caller: Caller, asked: Operation, item: Item): Promise<Result<Operated[Operation["operation"]]>> {
    return operate(this.#door, this.#pace, caller, asked, item);
  }

  /** M11: keys that are retained here, for the instance that asks. */
  async loadRetained(caller: InstanceCaller, request: RetainedRequest): Promise<Result<RetainedKeys>> {
    return this.#behind((door) => loadRetained(door, caller, request));
  }

  /** M17: what is known of the account's data keys, and their state. */
  listKeys(of: OfKeys, query: ListKeysQuery): Promise<Result<ListedKeys>> {
    return listKeys(this.#door, of, query);
  }

  describeKey(of: OfKeys, key: Version): Promise<Result<DescribedKey>> {
    return describeKey(this.#door, of, key);
  }

  async changeKey(of: OfKeys, key: Version, change: KeyChange): Promise<Result<DescribedKey>> {
    const changed = await changeKey(this.#door, of, key, change);
    if (changed.ok) await this.#wakeForKeys();
    return changed;
  }

  /** W8: which of its data keys are in memory here, encrypted. */
  keptKeys(caller: Caller, account: string): Promise<Result<KeptKey[]>> {
    return keptDataKeys(this.#door, this.#keys, caller, account);
  }

  orderExport(caller: Caller, request: ExportRequest): Promise<Result<{ order: string }>> {
    return orderExport(this.#door, caller, request);
  }

  /** W11: a key for this account, ordered by the IAM. */
  async orderAccountKey(order: AccountKeyOrder): Promise<Result<Ordered>> {
    const kms = await this.#door.enter();
    return orderAccountKey(kms, { ...order, account: subjectOf(kms.store.sql) });
  }

  /** W12: the account's keys under the master key that has replaced theirs; for the IAM, which keeps them. */
  async moveAccountKeys(of: { requestId: string; keys: MovedKey[] }): Promise<Result<MovedKey[]>> {
    const kms = await this.#door.enter();
    return moveAccountKeys(kms, { account: subjectOf(kms.store.sql), ...of });
  }

  /** W10, W11: a data key for the account, ordered by the IAM. One order at a time. */
  async orderDataKey(order: DataKeyOrder): Promise<Result<OrderedDataKey>> {
    const kms = await this.#door.enter();
    return this.#inTurn(() => orderDataKey(kms, this.#quota, order));
  }

  /** W10: for the IAM, which has decided: the copy here and the one in the HSM go. */
  async deleteDataKey(of: { client: string; key: Version; requestId: string }): Promise<Result<null>> {
    const kms = await this.#door.enter();
    const deleted = endDataKey(kms, of);
    if (!deleted.ok) return deleted;
    this.#keys.drop(nameOf(of.key));
    return fromHsm(of.requestId, async () => {
      await forgetEnded(this.ctx.storage, kms.hsm);
      return ok(null);
    });
  }

  /** W10: for the IAM, which has decided: deleted when it is time, and given to nobody until then. */
  async scheduleDataKey(of: {
    client: string;
    key: Version;
    requestId: string;
    ends: number | null;
  }): Promise<Result<null>> {
    const kms = await this.#door.enter();
    const scheduled = scheduleDataKey(kms, of, seconds(Date.now()));
    if (!scheduled.ok) return scheduled;
    this.#keys.drop(nameOf(of.key));
    await wakeAtEnds(this.ctx.storage);
    return scheduled;
  }

  /** Enc(data) for an instance that asks itself. */
  readDataKey(
    caller: InstanceCaller,
    of: { account: string; key: Version },
  ): Promise<Result<{ edk: string }>> {
    return this.#behind((door) => readDataKey(door, this.#keys, caller, of));
  }

  /** Level `account`: Enc(account) under the instance's wrapping key. */
  releaseAccountKey(caller: InstanceCaller, request: AccountKeyRequest): Promise<Result<ReleasedToInstance>> {
    return this.#behind((door) => releaseAccountKey(door, caller, request));
  }

  listDataKeys(caller: InstanceCaller, account: string): Promise<Result<{ edks: string[] }>> {
    return this.#behind((door) => listDataKeys(door, this.#keys, caller, account));
  }

  /**
   * The account is shredded: its data keys' rows go, what an earlier release kept of them too, and no more are made. Heard again,
   * it changes nothing.
   */
  async shredded(requestId: string): Promise<Result<null>> {
    const { kms, handover } = this.#open();
    // All rows are here before they go, so that none comes over afterwards.
    await handover.take();
    const { sql } = kms.store;
    if (!isShredded(sql)) {
      const resource = `account/${subjectOf(sql)}`;
      const about = { action: "kms:shred", caller: null, resource, requestId };
      const decision = authorize<null>(kms.store, about, () => {
        shred(sql, seconds(Date.now()));
        return ok(null);
      });
      if (!decision.ok) return decision;
    }
    await handover.settle();
    this.#keys.clear();
    // By alarm where the HSM is away.
    await forgetEnded(this.ctx.storage, kms.hsm).catch(() => undefined);
    await forgetRetained(this.ctx.storage, kms.hsm, seconds(Date.now())).catch(() => undefined);
    await forgetResident(this.ctx.storage, kms.hsm, seconds(Date.now())).catch(() => undefined);
    return ok(null);
  }

  /** W15: for the IAM, which has decided: key identifiers, where they have their place here. Nothing of an account that is shredded. */
  keyIdentifiers(asked: IdentifierAsk, requestId: string): Result<Identified> {
    const { store } = this.#open().kms;
    const resource = `account/${subjectOf(store.sql)}`;
    const about = { action: "kms:key-identifiers", caller: null, resource, requestId };
    return authorize<Identified>(store, about, (sql) => {
      const lives = checkLives(sql);
      return lives.ok ? ok(askIdentifiers(sql, asked)) : lives;
    });
  }

  /** For keys that are in the HSM: when one is due, or was cut off between the HSM and the answer. */
  async #wakeForKeys(): Promise<void> {
    if (!hasStore(this.ctx)) return;
    await wakeForRetained(this.ctx.storage);
    await wakeForResident(this.ctx.storage);
  }

  /** Answers a request, and tells what was done for it. */
  #behind<T>(work: (door: Door) => Promise<Result<T>>): Promise<Result<T>> {
    const { env } = this;
    return behind(
      this.#door,
      ({ store: { tenant }, ledger }, hsm) => ({
        backEnd: tenantBackEnd({ hsm, ledger, tenant, env }, backEndOf(env, tenant)),
        trust: isolateTrust(hsm, env.COFFER_HSM_URL),
      }),
      work,
    );
  }

  /** Before anything is decided: as they are, or have been within ten seconds. */
  async #readPolicies(): Promise<void> {
    const { env } = this;
    const { tenant } = this.#open().kms.store;
    this.#policies = await standingPolicies(env.COFFER_POLICIES, tenant, () =>
      env.KMS_OBJECT.getByName(tenant).policy(),
    );
  }

  override async alarm(): Promise<void> {
    if (!hasStore(this.ctx)) return;
    const { kms, handover } = this.#open();
    this.#keys.tell();
    await kms.store.flush();
    await handover.settle();
    await kms.ledger.sweep();
    endDataKeysInTime(kms, seconds(Date.now()));
    await forgetEnded(this.ctx.storage, kms.hsm).catch(() => undefined);
    await forgetRetained(this.ctx.storage, kms.hsm, seconds(Date.now())).catch(() => undefined);
    await forgetResident(this.ctx.storage, kms.hsm, seconds(Date.now())).catch(() => undefined);
    await wakeAtEnds(this.ctx.storage);
  }

  #open(): { kms: Context; handover: Handover } {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "kms", audit: env.AUDIT_KMS, migrations: MIGRATIONS });
    const account = subjectOf(store.sql);
    const earlier = () => env.KMS_OBJECT.getByName(store.tenant);
    const handover = openHandover<Moved>(ctx.storage, store, {
      source: {
        page: (after) => earlier().handover(account, after),
        forget: () => earlier().forget(account),
      },
      insert: insertMoved,
    });
    const hsm = tenantHsm(env, store.tenant);
    const ledger = openLedger(ctx, hsm, "kms");
    const trust = isolateTrust(hsm, env.COFFER_HSM_URL);
    const policies = () => {
      if (this.#policies === undefined) throw new Error("policies have not been read");
      return this.#policies;
    };
    const turns = () => env.KMS_OBJECT.getByName(store.tenant);
    this.#opened = {
      kms: {
        store,
        hsm,
        ledger,
        backEnd: tenantBackEnd({ hsm, ledger, tenant: store.tenant, env }, backEndOf(env, store.tenant)),
        mostResident: mostResident(env.COFFER_RESIDENT_KEYS_PER_ACCOUNT),
        trust,
        policies,
        neighbours: neighboursOf(env),
        turns,
      },
      handover,
    };
    return this.#opened;
  }

  /** Recorded where there is an account; what somebody made up stays empty, and the refusal stands with who asked. */
  #refuse(about: AuthorizeRequest, refusal: Refusal): Result<never> {
    if (hasStore(this.ctx)) return authorize<never>(this.#open().kms.store, about, () => refusal);
    const { caller, action, resource } = about;
    const of = caller && this.env.KMS_PRINCIPAL_OBJECT.getByName(`${caller.tenant}/${caller.user}`);
    if (caller && of) this.ctx.waitUntil(of.refused(caller, action, refusal, resource));
    return fail(refusal.problem.code);
  }
}
