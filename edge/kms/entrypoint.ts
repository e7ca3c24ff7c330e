import { WorkerEntrypoint } from "cloudflare:workers";
import type {
  AccountKeyRequest,
  AnswerOf,
  DataKeysRequest,
  DescribedKey,
  ExportRequest,
  KeyChange,
  ListedKeys,
  ListKeysQuery,
  listPolicies,
  MasterKeyRequest,
  PolicyChange,
} from "#protocol/contract/index.ts";
import type { Load, LoadRequest } from "#protocol/keys/index.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import { fromHsm, openHsm } from "../hsm/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { versionNamed } from "./account-data-keys.ts";
import type { ReleasedToInstance } from "./account-release.ts";
import { neighboursOf } from "./context.ts";
import { readEdk } from "./edk.ts";
import { locateMasterKey } from "./master-key.ts";
import type { Released } from "./master-release.ts";
import { beginRotation, type Rotation, readRotation } from "./rotation/index.ts";
import { isolateTrust } from "./trust.ts";

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

  /** `POST /kms/loads` (M8). */
  async load(caller: Caller, request: LoadRequest): Promise<Result<Load>> {
    const { env } = this;
    const read = await readEdk(isolateTrust(this.#hsm(), env.COFFER_HSM_URL), request.edk);
    if (!read.ok) return this.#principal(caller).refused(caller, `kms:${request.way}`, read);
    const { account, tenant, owner } = read.value;
    // A key of the tenant itself is registered where it was made: with the principal whom the signed EDK names.
    if (account === undefined) {
      const by = tenant === caller.tenant ? { tenant, user: owner } : caller;
      return this.#principal(by).load(caller, request, read.value);
    }
    return this.#object(caller, account).load(caller, request, read.value);
  }

  /** `GET /kms/accounts/{account}/keys` (M17). */
  async listKeys(caller: Caller, account: string, query: ListKeysQuery): Promise<Result<ListedKeys>> {
    return this.#object(caller, account).listKeys({ caller, account }, query);
  }

  /** `GET /kms/accounts/{account}/keys/{key}`. */
  async describeKey(caller: Caller, account: string, key: string): Promise<Result<DescribedKey>> {
    return this.#object(caller, account).describeKey({ caller, account }, versionNamed(key));
  }

  /** `PUT /kms/accounts/{account}/keys/{key}`. */
  async changeKey(
    caller: Caller,
    account: string,
    key: string,
    change: KeyChange,
  ): Promise<Result<DescribedKey>> {
    return this.#object(caller, account).changeKey({ caller, account }, versionNamed(key), change);
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
    const found = await fromHsm(requestId, async () => ok(await locateMasterKey(this.#hsm(), tenant)));
    if (!found.ok) return found;
    if (found.value === null) return fail("hsm-refused");
    return beginRotation(this.env.KMS_ROTATION_OBJECT, { tenant, master: found.value, requestId });
  }

  /** `GET /kms/rotation`: how far it is. */
  async rotation(caller: Caller): Promise<Result<Rotation>> {
    const admin = await neighboursOf(this.env).IAM.administrator(caller, "rotation");
    return admin.ok ? readRotation(this.env.KMS_ROTATION_OBJECT, caller.tenant) : admin;
  }

  #hsm() {
    return openHsm(this.env.HSM_KMS, this.env.COFFER_HSM_URL);
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
