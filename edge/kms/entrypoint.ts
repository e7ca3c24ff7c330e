import { WorkerEntrypoint } from "cloudflare:workers";
import { seconds } from "#protocol/clock.ts";
import type {
  AccountKeyRequest,
  AnswerOf,
  DataKeysRequest,
  DescribedKey,
  DescribedUserKey,
  ExportRequest,
  GrantKeysRequest,
  KeptKey,
  KeyChange,
  ListedKeys,
  ListKeysQuery,
  listPolicies,
  MasterKeyRequest,
  PolicyChange,
  RotateKeyRequest,
  SharedWith,
  ShareMade,
  ShareRequest,
  UserKeys,
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
import type { Caller, InstanceCaller } from "../caller.ts";
import { fromHsm } from "../hsm/index.ts";
import { type Decision, fail, ok, type Result, refuse } from "../result.ts";
import { type Steps, telling } from "../steps.ts";
import { versionNamed } from "./account-data-keys.ts";
import type { ReleasedToInstance } from "./account-release.ts";
import { neighboursOf } from "./context.ts";
import { isOfSeed, readEdks } from "./edk.ts";
import { deploymentHsm, tenantHsm } from "./hsm.ts";
import type { OfKeys } from "./key-management.ts";
import { checkAsker, type Granted, type Item } from "./loading/index.ts";
import { locateMasterKey } from "./master-key.ts";
import type { Released } from "./master-release.ts";
import { beginRotation, type Rotation, readRotation } from "./rotation/index.ts";
import { isolateTrust } from "./trust.ts";

/** A principal's id, and as a custodian's name begins with it. */
const PRINCIPAL = /^[a-z0-9-]{1,64}$/;
const CUSTODIAN = /^CN=([a-z0-9-]{1,64}),/;
type Which = { ofSeed?: boolean; ofRetained?: boolean; steps?: Steps };

const isForeign = ({ tenant }: { tenant: string }, items: readonly Item[]) =>
  items.some(({ edk }) => edk.tenant !== tenant);

/**
 * The door of the KMS for the gateway. The gateway has verified access token, DPoP proof and the shape of the request; all else is decided
 * in the object of the account that the request or its EDK names. An EDK is verified first, so that it names none that
 * somebody made up.
 */
export class Kms extends WorkerEntrypoint<Env> {
  /** `POST /kms/data-keys` (M6). */
  async dataKeys(caller: Caller, request: DataKeysRequest): Promise<Result<{ edks: string[] }>> {
    const { account } = request;
    if (account === undefined) return this.#principal(caller).dataKeys(caller, request);
    return this.#object(caller, account).dataKeys(caller, { ...request, account });
  }

  /** `POST /kms/accounts/{account}/metadata-key`. */
  async metadataKey(caller: Caller, account: string): Promise<Result<{ edk: string }>> {
    return this.#object(caller, account).metadataKey(caller, account);
  }

  /** `GET /kms/accounts/{account}/document-versions`. */
  async readVersions(caller: Caller, account: string, after: number): Promise<Result<VersionPage>> {
    return this.#object(caller, account).readVersions(caller, account, after);
  }

  /** `POST /kms/accounts/{account}/document-versions`. */
  async putVersions(caller: Caller, account: string, change: VersionChange): Promise<Result<VersionsPut>> {
    return this.#object(caller, account).putVersions(caller, account, change);
  }

  /** `POST /kms/accounts/{account}/shares`. */
  async share(
    caller: Caller,
    account: string,
    { edk, ...request }: ShareRequest,
  ): Promise<Result<ShareMade>> {
    const read = await this.#readFor(caller, [edk]);
    const action = "kms:share";
    if (!read.ok) return this.#principal(caller).refused(caller, action, read);
    const [item] = read.value;
    if (item?.edk.account !== account)
      return this.#principal(caller).refused(caller, action, refuse("conflict", "a key of another account"));
    return this.#object(caller, account).share(caller, { account, item, ...request });
  }

  /** `GET /kms/accounts/{account}/shares`. */
  async shares(
    caller: Caller,
    account: string,
    document?: string,
  ): Promise<Result<{ shares: SharedWith[] }>> {
    return this.#object(caller, account).shares(caller, { account, document });
  }

  /** `DELETE /kms/accounts/{account}/shares/{share}`. */
  async withdrawShare(caller: Caller, account: string, share: string): Promise<Result<null>> {
    return this.#object(caller, account).withdrawShare(caller, { account, share });
  }

  /** `POST /kms/loads` (M8). */
  async load(caller: Caller, request: LoadRequest): Promise<Result<LoadAnswer>> {
    return telling("kms", async (steps) => {
      const edks = request.way === "rewrap" ? [request.edk] : request.edks;
      const read = await this.#readFor(caller, edks, { steps });
      if (!read.ok) return this.#principal(caller).refused(caller, `kms:${request.way}`, read);
      return this.#registry(caller, read.value).load(caller, request, read.value);
    });
  }

  /** `POST /kms/key-versions` (M17). */
  async rotateKey(caller: Caller, { edk, certificate }: RotateKeyRequest): Promise<Result<{ edk: string }>> {
    const action = "kms:rotate-key";
    const read = await this.#readFor(caller, [edk], { ofRetained: true });
    if (!read.ok) return this.#principal(caller).refused(caller, action, read);
    const [item] = read.value;
    // Of the tenant's own who has ordered it alone: for whom its policy names it is to use.
    if (!item || (item.edk.account === undefined && item.edk.owner !== caller.user))
      return this.#principal(caller).refused(
        caller,
        action,
        refuse("forbidden", "ordered by another principal"),
        item && `key/${item.edk.keyId}.${item.edk.keyVersion}`,
      );
    return this.#managing({ caller, account: item.edk.account }).rotateKey(caller, item, certificate);
  }

  /** `POST /kms/grants` (M7). */
  async grant(caller: Caller, request: GrantKeysRequest): Promise<Result<Granted>> {
    return telling("kms", async (steps) => {
      const read = await this.#readFor(caller, request.edks, { ofSeed: true, steps });
      if (!read.ok) return this.#principal(caller).refused(caller, "kms:grant", read);
      return this.#registry(caller, read.value).grant(caller, request, read.value);
    });
  }

  /** `POST /presentations` (M7), on the vault's site of that tenant: who presents shows it by the grant and a proof. */
  async present(
    by: { tenant: string; requestId: string },
    presentation: Presentation,
  ): Promise<Result<Presented>> {
    return telling("kms", async (steps) => {
      const read = await this.#read(presentation.edks, { steps });
      // Anyone can send what is none: nobody's log is filled by it.
      if (!read.ok) return fail(read.problem.code);
      if (isForeign(by, read.value)) return this.#tenant(by).foreignKeys("kms:present", by.requestId);
      return this.#registry(by, read.value).present(presentation, read.value, by.requestId);
    });
  }

  /** `POST /seed-channels` (M9), on the vault's site of that tenant. */
  async openSeedChannel(
    by: { tenant: string; requestId: string },
    presentation: Presentation,
  ): Promise<Result<{ receipt: string }>> {
    const read = await this.#readOfSeed(by, "kms:open-seed-channel", presentation.edks);
    if (!read.ok) return read;
    return this.#registry(by, read.value).openSeedChannel(presentation, read.value, by.requestId);
  }

  /** `POST /seed-presentations` (M9): who has the channel's key has the channel. */
  async presentSeed(by: { tenant: string; requestId: string }, seed: SealedSeed): Promise<Result<Presented>> {
    const read = await this.#readOfSeed(by, "kms:present-seed", seed.edks);
    if (!read.ok) return read;
    return this.#registry(by, read.value).presentSeed(seed, read.value, by.requestId);
  }

  /** Anyone can send what is none: nobody's log is filled by it. */
  async #readOfSeed(
    by: { tenant: string; requestId: string },
    action: string,
    tokens: readonly string[],
  ): Promise<Result<Item[]>> {
    const read = await this.#read(tokens, { ofSeed: true });
    if (!read.ok) return fail(read.problem.code);
    if (!isOfSeed(read.value)) return fail("invalid-edk");
    return isForeign(by, read.value) ? this.#tenant(by).foreignKeys(action, by.requestId) : read;
  }

  /** `POST /retained-keys` (M11), on the vault's site of that tenant: who asks shows it by a proof of the instance's identity key. */
  async loadRetained(
    by: { tenant: string; requestId: string },
    request: RetainedRequest,
  ): Promise<Result<RetainedKeys>> {
    const { tenant, requestId } = by;
    const { instance } = request;
    const [, user] = CUSTODIAN.exec(request.custodian) ?? [];
    if (user === undefined) return fail("not-recipient");
    const found = await neighboursOf(this.env).RA.instance({ tenant, user, instance });
    // Anyone can name one that is none: nobody's log is filled by it.
    if (!found.ok)
      return fail(found.problem.code === "hsm-unavailable" ? found.problem.code : "not-recipient");
    const { custodian, client, jkt, origin } = found.value;
    const caller = { tenant, user, custodian, client, jkt, origin, instance, requestId };
    const asker = await checkAsker(request, found.value, seconds(Date.now()));
    if (!asker.ok) return this.#principal(caller).refused(caller, "kms:load-retained", asker);
    const { account, owner } = request;
    if (account !== undefined && owner === undefined)
      return this.#object(caller, account).loadRetained(caller, request);
    if (owner !== undefined && PRINCIPAL.test(owner) && account === undefined)
      return this.#principal({ tenant, user: owner }).loadRetained(caller, request);
    return this.#principal(caller).refused(
      caller,
      "kms:load-retained",
      refuse("bad-request", "of an account, or of an owner"),
    );
  }

  /** `GET /kms/accounts/{account}/keys` (M17), and with no account `GET /kms/own-keys`: keys of the tenant itself that the caller has ordered. */
  async listKeys(of: OfKeys, query: ListKeysQuery): Promise<Result<ListedKeys>> {
    return this.#managing(of).listKeys(of, query);
  }

  /** `GET /kms/accounts/{account}/keys/{key}`, `GET /kms/own-keys/{key}`. */
  async describeKey(of: OfKeys, key: string): Promise<Result<DescribedKey>> {
    return this.#managing(of).describeKey(of, versionNamed(key));
  }

  /** `PUT /kms/accounts/{account}/keys/{key}`, `PUT /kms/own-keys/{key}`. */
  async changeKey(of: OfKeys, key: string, change: KeyChange): Promise<Result<DescribedKey>> {
    return this.#managing(of).changeKey(of, versionNamed(key), change);
  }

  #managing({ caller, account }: OfKeys) {
    return account === undefined ? this.#principal(caller) : this.#object(caller, account);
  }

  /** `GET /kms/accounts/{account}/kept-keys`. */
  async keptKeys(caller: Caller, account: string, instance?: string): Promise<Result<{ keys: KeptKey[] }>> {
    const data = await this.#object(caller, account).keptKeys(caller, account);
    if (!data.ok) return data;
    const master =
      instance === undefined ? ok([]) : await this.#principal(caller).keptMaster(caller, instance);
    return master.ok ? ok({ keys: [...master.value, ...data.value] }) : master;
  }

  /** `GET /admin/users/{user}/keys`. */
  async keysOfUser(caller: Caller, user: string, query: ListKeysQuery): Promise<Result<UserKeys>> {
    const admin = await neighboursOf(this.env).IAM.administrator(caller, `user/${user}/keys`);
    return admin.ok
      ? this.#principal({ tenant: caller.tenant, user }).keysOfUser(caller, user, query)
      : admin;
  }

  /** `GET /admin/users/{user}/keys/{key}`. */
  async describeKeyOfUser(caller: Caller, user: string, key: string): Promise<Result<DescribedUserKey>> {
    const admin = await neighboursOf(this.env).IAM.administrator(caller, `user/${user}/keys`);
    if (!admin.ok) return admin;
    return this.#principal({ tenant: caller.tenant, user }).describeKeyOfUser(caller, versionNamed(key));
  }

  /** `PUT /admin/users/{user}/keys/{key}`. */
  async changeKeyOfUser(
    caller: Caller,
    user: string,
    key: string,
    change: KeyChange,
  ): Promise<Result<DescribedUserKey>> {
    const admin = await neighboursOf(this.env).IAM.administrator(caller, `user/${user}/keys`);
    if (!admin.ok) return admin;
    const { tenant } = caller;
    return this.#principal({ tenant, user }).changeKeyOfUser(caller, versionNamed(key), change);
  }

  /** `POST /instances/master-key`: Enc(master) for an instance at level `master` (W6). */
  async masterKey(caller: InstanceCaller, request: MasterKeyRequest): Promise<Result<Released>> {
    return this.#principal(caller).masterKey(caller, request);
  }

  /** `POST /instances/account-key`: Enc(account) for an instance at level `account`. */
  async releaseAccountKey(
    caller: InstanceCaller,
    request: AccountKeyRequest,
  ): Promise<Result<ReleasedToInstance>> {
    return this.#object(caller, request.account).releaseAccountKey(caller, request);
  }

  /** `GET /instances/accounts/{account}/data-keys/{key}`: Enc(data) by its key identifier (W2). */
  async readDataKey(caller: InstanceCaller, account: string, key: string): Promise<Result<{ edk: string }>> {
    return this.#object(caller, account).readDataKey(caller, { account, key: versionNamed(key) });
  }

  /** `GET /instances/accounts/{account}/data-keys`. */
  async listDataKeys(caller: InstanceCaller, account: string): Promise<Result<{ edks: string[] }>> {
    return this.#object(caller, account).listDataKeys(caller, account);
  }

  /** `POST /kms/exports`: an order to seal documents again under a key that the user holds. It is decided and recorded, no more. */
  async orderExport(caller: Caller, request: ExportRequest): Promise<Result<{ order: string }>> {
    return this.#object(caller, request.account).orderExport(caller, request);
  }

  /** `GET /admin/policies`. */
  async listPolicies(caller: Caller): Promise<Result<AnswerOf<typeof listPolicies>>> {
    const found = await this.#tenant(caller).policies(caller);
    if (!found.ok) return found;
    const versions = found.value.map(({ version, since, by }) => ({ version, since, by }));
    return ok({ policy: found.value[0]?.policy ?? null, versions });
  }

  /** `POST /admin/policies`. */
  async putPolicy(caller: Caller, change: PolicyChange): Promise<Result<{ version: number }>> {
    return this.#tenant(caller).putPolicy(caller, change);
  }

  /** `POST /kms/rotation`: all account keys go under the master key that the HSM has now (W12). Again, it tries what has failed. */
  async beginRotation(caller: Caller): Promise<Result<Rotation>> {
    const { tenant, requestId } = caller;
    const admin = await neighboursOf(this.env).IAM.administrator(caller, "rotation");
    if (!admin.ok) return admin;
    const found = await fromHsm(requestId, async () =>
      ok(await locateMasterKey(tenantHsm(this.env, tenant), tenant)),
    );
    if (!found.ok) return found;
    if (found.value === null) return fail("hsm-refused");
    const { key: master, recovery } = found.value;
    // What the HSM cannot open it cannot move either.
    if (recovery !== null) return fail("strict-tenant");
    const of = { tenant, master, requestId };
    return this.#withUnlisted(tenant, () => beginRotation(this.env.KMS_ROTATION_OBJECT, of));
  }

  /** `GET /kms/rotation`: how far it is. */
  async rotation(caller: Caller): Promise<Result<Rotation>> {
    const admin = await neighboursOf(this.env).IAM.administrator(caller, "rotation");
    if (!admin.ok) return admin;
    const { tenant } = caller;
    return this.#withUnlisted(tenant, () => readRotation(this.env.KMS_ROTATION_OBJECT, tenant));
  }

  /** Accounts of which the list has still to hear have not moved. Asked first: what is heard in between is on the list. */
  async #withUnlisted(tenant: string, rotation: () => Promise<Result<Rotation>>): Promise<Result<Rotation>> {
    const unlisted = await neighboursOf(this.env).IAM.unlisted({ tenant });
    if (!unlisted.ok) return unlisted;
    const told = await rotation();
    return told.ok ? ok({ ...told.value, all: told.value.all + unlisted.value }) : told;
  }

  /** `steps`: where what is asked of the HSM is told. */
  #read(tokens: readonly string[], { steps, ...which }: Which = {}) {
    const hsm = deploymentHsm(this.env);
    const watched = steps === undefined ? hsm : hsm.watched(steps.ofHsm);
    return readEdks(isolateTrust(watched, this.env.COFFER_HSM_URL), tokens, which);
  }

  /** Of the caller's tenant: of another one there may be no object here in which a refusal is recorded. */
  async #readFor(
    { tenant }: Caller,
    tokens: readonly string[],
    which: Which = {},
  ): Promise<Decision<Item[]>> {
    const read = await this.#read(tokens, which);
    if (!read.ok || read.value.every(({ edk }) => edk.tenant === tenant)) return read;
    return refuse("forbidden", "EDK belongs to another tenant");
  }

  /** Where keys are registered: a tenant's own with the principal whom the signed EDK names. */
  #registry(caller: { tenant: string; user?: string }, [item]: readonly Item[]) {
    const { account, tenant, owner } = item?.edk ?? { account: undefined, tenant: "", owner: "" };
    // What is shared is asked of the account whose it is.
    if (account !== undefined) return this.#object(caller, item?.edk.record?.account ?? account);
    // Of another tenant's the caller's own object says no.
    const user = tenant === caller.tenant ? owner : (caller.user ?? owner);
    return this.#principal({ tenant: caller.tenant, user });
  }

  #tenant({ tenant }: { tenant: string }) {
    return this.env.KMS_OBJECT.getByName(tenant);
  }

  #principal({ tenant, user }: Pick<Caller, "tenant" | "user">) {
    return this.env.KMS_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`);
  }

  #object({ tenant }: { tenant: string }, account: string) {
    return this.env.KMS_ACCOUNT_OBJECT.getByName(`${tenant}/${account}`);
  }
}
