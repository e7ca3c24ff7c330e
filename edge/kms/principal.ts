import { DurableObject } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type {
  DataKeysRequest,
  DescribedKey,
  DescribedUserKey,
  GrantKeysRequest,
  KeptKey,
  KeyChange,
  ListedKeys,
  ListKeysQuery,
  MasterKeyRequest,
  UserKeys,
} from "#protocol/contract/index.ts";
import { instancesMasterKeyName } from "#protocol/hierarchy/index.ts";
import type {
  LoadAnswer,
  LoadRequest,
  Presentation,
  Presented,
  RetainedKeys,
  RetainedRequest,
  SealedSeed,
} from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import { fromHsm } from "../hsm/index.ts";
import { openLedger, transientNames } from "../hsm/keys/index.ts";
import { fail, ok, type Refusal, type Result, refuse } from "../result.ts";
import { hasStore, openStore } from "../store.ts";
import type { Version } from "./account-data-keys.ts";
import { type AppKey, appKeyOfEntry, endAppKeysOf } from "./app-key.ts";
import { tenantBackEnd } from "./back-ends/tenant.ts";
import { KeyCache } from "./cache/index.ts";
import { type Context, type Door, neighboursOf } from "./context.ts";
import {
  fetchEarlierMaster,
  fetchMasters,
  isReplaced,
  markMaster,
  removeEnded,
  removeKept,
  removeOf,
  wakeForNext,
} from "./encrypted-master.ts";
import { backEndOf, tenantHsm } from "./hsm.ts";
import { oneByOne } from "./in-turn.ts";
import { issueOwnDataKeys } from "./issue-own.ts";
import { issueSeedKeys } from "./issue-seed.ts";
import { keptMaster } from "./kept-keys.ts";
import { changeKey, describeKey, listKeys } from "./key-management.ts";
import { aboutKey, changeKeyOfUser, describeKeyOfUser, keysOfUser, noKeysOfUser } from "./keys-of-user.ts";
import {
  type Granted,
  grantSeveral,
  type Item,
  load,
  loadNoneRetained,
  loadRetained,
  openSeedChannel,
  presentGrant,
  presentSeed,
} from "./loading/index.ts";
import { MasterReceipts } from "./master-receipts.ts";
import { type EncryptedMaster, type Released, releaseMasterKey } from "./master-release.ts";
import {
  type Operated,
  type Operation,
  OperationPace,
  operate,
  operateWithoutKey,
  type WithoutKey,
} from "./operating/index.ts";
import { type Policies, standingPolicies } from "./policies.ts";
import { DataKeyQuota } from "./quota.ts";
import { StandingRecord } from "./record-standing.ts";
import { forgetRetained, wakeForRetained } from "./retained-keys.ts";
import { rotateKey } from "./rotate-key.ts";
import { PRINCIPAL_MIGRATIONS } from "./schema.ts";
import { cacheTimes } from "./times.ts";
import { isolateTrust } from "./trust.ts";

/**
 * What the KMS has of one principal and no account, named `<tenant>/<principal>`: Enc(master) for the instances that serve it (which
 * object of the HSM has it, and in memory a copy), and refusals. Reached for callers alone whose token the gateway has verified.
 */
export class KmsPrincipalObject extends DurableObject<Env> {
  #opened: Context | undefined;
  #policies: Policies | undefined;
  readonly #standing = new StandingRecord();
  readonly #masters: KeyCache<EncryptedMaster>;
  readonly #receipts: MasterReceipts;
  readonly #quota: DataKeyQuota;
  readonly #pace: OperationPace;
  readonly #door: Door;
  readonly #inTurn = oneByOne();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#quota = new DataKeyQuota(env.COFFER_DATA_KEYS_PER_HOUR);
    this.#pace = new OperationPace(env.COFFER_OPERATIONS_PER_MINUTE);
    this.#door = {
      neighbours: neighboursOf(env),
      enter: async () => {
        await this.#readPolicies();
        const kms = this.#open();
        ctx.waitUntil(this.#standing.record(kms, backEndOf(env, kms.store.tenant)));
        return kms;
      },
      refuse: (about, refusal) => authorize<never>(this.#open().store, about, () => refusal),
    };
    const times = cacheTimes(env);
    this.#masters = new KeyCache((instance) => markMaster(this.#open(), instance), times);
    this.#receipts = new MasterReceipts(times);
    if (hasStore(ctx)) this.#open();
  }

  /** Level `master`: Enc(master) for the caller, with a receipt for its challenge. */
  async masterKey(caller: InstanceCaller, request: MasterKeyRequest): Promise<Result<Released>> {
    const kms = await this.#door.enter();
    const encrypted = (enrolled: Enrolled, id?: string, appKey?: AppKey) =>
      id === undefined ? this.#master(enrolled, appKey) : fetchEarlierMaster(kms, enrolled, id, appKey);
    const released = await releaseMasterKey(kms, caller, request, encrypted, this.#receipts);
    this.ctx.waitUntil(wakeForNext(this.ctx.storage));
    // Revoked while the HSM worked: what was kept since then is for nobody, and the RA has told of the end before.
    if (!released.ok && released.problem.code === "not-recipient")
      this.ctx.waitUntil(this.instancesEnded([caller.instance]));
    return released;
  }

  /** W8: whether Enc(master) for this instance is in memory here. Of an instance that never asked for it there is nothing. */
  async keptMaster(caller: Caller, instance: string): Promise<Result<KeptKey[]>> {
    if (!hasStore(this.ctx)) return ok([]);
    return keptMaster(this.#door, this.#masters, caller, instance);
  }

  /** W12: of instances that were revoked nothing stays. It may be told again, and of instances that never asked for anything. */
  async instancesEnded(instances: string[]): Promise<Result<null>> {
    if (!hasStore(this.ctx)) return ok(null);
    const kms = this.#open();
    const requestId = crypto.randomUUID();
    return fromHsm(requestId, async () => {
      for (const instance of instances) {
        this.#masters.drop(instance);
        const had = await endAppKeysOf(kms, instance);
        if (!(await removeOf(kms, instance)) && !had) continue;
        const resource = instancesMasterKeyName(instance);
        authorize(kms.store, { action: "kms:instance-ended", caller: null, resource, requestId }, () =>
          ok(null),
        );
      }
      return ok(null);
    });
  }

  /** M6: data keys of the tenant itself, which its policy gives to this principal or whom the order names. */
  async dataKeys(caller: Caller, request: DataKeysRequest): Promise<Result<{ edks: string[] }>> {
    const { seed } = request;
    if (seed !== undefined) return issueSeedKeys(this.#door, this.#quota, caller, { ...request, seed });
    const issued = await issueOwnDataKeys(this.#door, this.#quota, caller, request);
    // For keys that are in the HSM: when one was cut off between the HSM and the answer.
    if (request.custody !== undefined && hasStore(this.ctx))
      this.ctx.waitUntil(wakeForRetained(this.ctx.storage));
    return issued;
  }

  /** A data key of the tenant that was made for this principal, for the caller's instance. `items` are its EDKs, verified. */
  load(caller: Caller, request: LoadRequest, items: readonly Item[]): Promise<Result<LoadAnswer>> {
    return load(this.#door, caller, request, items);
  }

  /** M17: the next version of a key of the tenant that this principal has ordered. `item` is its EDK, verified. */
  async rotateKey(caller: Caller, item: Item, certificate?: string): Promise<Result<{ edk: string }>> {
    const of = { item, certificate };
    const rotated = await rotateKey(this.#door, this.#quota, caller, of, this.#inTurn);
    if (hasStore(this.ctx)) this.ctx.waitUntil(wakeForRetained(this.ctx.storage));
    return rotated;
  }

  /** M17: what is known of the keys of the tenant that this principal has ordered, and their state. */
  listKeys(of: { caller: Caller }, query: ListKeysQuery): Promise<Result<ListedKeys>> {
    return listKeys(this.#door, of, query);
  }

  describeKey(of: { caller: Caller }, key: Version): Promise<Result<DescribedKey>> {
    return describeKey(this.#door, of, key);
  }

  async changeKey(of: { caller: Caller }, key: Version, change: KeyChange): Promise<Result<DescribedKey>> {
    const changed = await changeKey(this.#door, of, key, change);
    if (changed.ok) await wakeForRetained(this.ctx.storage);
    return changed;
  }

  /** The same for an admin of the tenant, whom the IAM has said to be one. */
  async changeKeyOfUser(caller: Caller, key: Version, change: KeyChange): Promise<Result<DescribedUserKey>> {
    if (!hasStore(this.ctx)) return this.#noKey(caller, "kms:change-key-of-user", key);
    const changed = changeKeyOfUser(this.#open().store, caller, key, change);
    if (changed.ok) await wakeForRetained(this.ctx.storage);
    return changed;
  }

  async describeKeyOfUser(caller: Caller, key: Version): Promise<Result<DescribedUserKey>> {
    if (!hasStore(this.ctx)) return this.#noKey(caller, "kms:describe-key-of-user", key);
    return describeKeyOfUser(this.#open().store, caller, key);
  }

  /** Anyone can name a principal: nothing is written of one that has had no key made, but with who asks. */
  #noKey(caller: Caller, named: string, key: Version): Promise<Result<never>> {
    const { action, resource } = aboutKey(named, caller, key);
    const none = refuse("not-found", "no such data key of this principal");
    const asking = this.env.KMS_PRINCIPAL_OBJECT.getByName(`${caller.tenant}/${caller.user}`);
    return asking.refused(caller, action, none, resource);
  }

  /** What an admin can change here. */
  async keysOfUser(caller: Caller, user: string, query: ListKeysQuery): Promise<Result<UserKeys>> {
    if (hasStore(this.ctx)) return keysOfUser(this.#open().store, caller, user, query);
    const asking = this.env.KMS_PRINCIPAL_OBJECT.getByName(`${caller.tenant}/${caller.user}`);
    return asking.noKeysOfUser(caller, user);
  }

  /** The same of another principal, which has had none made. */
  noKeysOfUser(caller: Caller, user: string): Result<UserKeys> {
    return noKeysOfUser(this.#open().store, caller, user);
  }

  /** M11: keys of the tenant that were made for this principal and are retained here, for the instance that asks. */
  async loadRetained(caller: InstanceCaller, request: RetainedRequest): Promise<Result<RetainedKeys>> {
    // Anyone can name a principal: nothing is written of one that has had no key made, but with who asks.
    if (hasStore(this.ctx) || request.owner === caller.user) return loadRetained(this.#door, caller, request);
    const asking = this.env.KMS_PRINCIPAL_OBJECT.getByName(`${caller.tenant}/${caller.user}`);
    return asking.loadNoneRetained(caller, request);
  }

  /** The same of another principal, which has had none made. */
  loadNoneRetained(caller: InstanceCaller, request: RetainedRequest): Promise<Result<RetainedKeys>> {
    return loadNoneRetained(this.#door, caller, request);
  }

  /** M7: a grant by which the caller's instance loads these keys, once. */
  grant(caller: Caller, request: GrantKeysRequest, items: readonly Item[]): Promise<Result<Granted>> {
    return grantSeveral(this.#door, caller, request, items);
  }

  /** M7: what was granted here, for the instance that presents it. */
  async present(
    presentation: Presentation,
    items: readonly Item[],
    requestId: string,
  ): Promise<Result<Presented>> {
    if (!hasStore(this.ctx)) return fail("invalid-grant");
    return presentGrant(await this.#door.enter(), presentation, items, requestId);
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

  /** M16: an operation in the HSM with a key of the tenant that was made for this principal. */
  operate(caller: Caller, asked: Operation, item: Item): Promise<Result<Operated[Operation["operation"]]>> {
    return operate(this.#door, this.#pace, caller, asked, item);
  }

  /** M16: what takes no key, for the principal. */
  withoutKey(caller: Caller, asked: WithoutKey): Promise<Result<Uint8Array<ArrayBuffer>>> {
    return operateWithoutKey(this.#door, this.#pace, caller, asked);
  }

  /** Records a refusal that is no account's: of an EDK that none of ours was, or of an account that there is not. */
  refused(caller: Caller, action: string, { problem, reason }: Refusal, resource = "edk"): Result<never> {
    const about = { action, caller, resource, requestId: caller.requestId };
    return authorize<never>(this.#open().store, about, () => refuse(problem.code, reason));
  }

  /** Before anything is decided: as they are, or have been within ten seconds. */
  async #readPolicies(): Promise<void> {
    const { env } = this;
    const { tenant } = this.#open().store;
    this.#policies = await standingPolicies(env.COFFER_POLICIES, tenant, () =>
      env.KMS_OBJECT.getByName(tenant).policy(),
    );
  }

  override async alarm(): Promise<void> {
    if (!hasStore(this.ctx)) return;
    const kms = this.#open();
    this.#masters.tell();
    await kms.store.flush();
    await kms.ledger.sweep();
    await removeEnded(this.ctx.storage, kms, seconds(Date.now()));
    await forgetRetained(this.ctx.storage, kms.hsm, seconds(Date.now())).catch(() => undefined);
  }

  async #master(enrolled: Enrolled, appKey?: AppKey): Promise<EncryptedMaster> {
    const { instance } = enrolled;
    const kept = this.#masters.peek(instance);
    // Of a master key that another has replaced: what stands under the new one opens with the new one alone.
    const isOther = async ({ keyId, appKey: by }: EncryptedMaster) =>
      by !== appKey?.id || (await isReplaced(this.#open(), keyId));
    if (kept !== undefined && (await isOther(kept))) this.#masters.drop(instance);
    const fetch = () => fetchMasters(this.#open(), enrolled, appKey);
    const master = await this.#masters.get(instance, fetch);
    if (master === null) throw new Error("the HSM has no master key");
    if (master.appKey === appKey?.id) return master;
    // Asked at the same time, and under another app-specific key.
    this.#masters.drop(instance);
    return this.#master(enrolled, appKey);
  }

  #open(): Context {
    if (this.#opened) return this.#opened;
    const { ctx, env } = this;
    const store = openStore(ctx, { domain: "kms", audit: env.AUDIT_KMS, migrations: PRINCIPAL_MIGRATIONS });
    const hsm = tenantHsm(env, store.tenant);
    const ledger = openLedger(ctx, hsm, "kms", (entry) => {
      const appKey = appKeyOfEntry(entry);
      if (appKey !== null) return [appKey];
      // An entry of a wrapping key has one object that is meant to stay, that of a batch has none.
      return entry.id.startsWith("kms/") ? transientNames(entry) : removeKept(hsm, entry);
    });
    const trust = isolateTrust(hsm, env.COFFER_HSM_URL);
    const policies = () => {
      if (this.#policies === undefined) throw new Error("policies have not been read");
      return this.#policies;
    };
    const turns = () => env.KMS_OBJECT.getByName(store.tenant);
    const backEnd = tenantBackEnd({ hsm, ledger, tenant: store.tenant, env }, backEndOf(env, store.tenant));
    this.#opened = {
      ...{ store, hsm, ledger, backEnd, trust, policies, turns },
      neighbours: neighboursOf(env),
      // Keys of accounts alone live there.
      mostResident: 0,
    };
    // What was kept in the HSM before it was evicted has its end still.
    ctx.waitUntil(wakeForNext(ctx.storage));
    ctx.waitUntil(wakeForRetained(ctx.storage));
    return this.#opened;
  }
}
