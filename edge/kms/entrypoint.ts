import { WorkerEntrypoint } from "cloudflare:workers";
import type {
  AccountKeyRequest,
  AnswerOf,
  DataKeysRequest,
  ExportRequest,
  listPolicies,
  MasterKeyRequest,
  PolicyChange,
} from "#protocol/contract/index.ts";
import type { Load, LoadRequest } from "#protocol/keys/index.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import { fromHsm, openHsm } from "../hsm/index.ts";
import { ok, type Result } from "../result.ts";
import type { Version } from "./account-data-keys.ts";
import type { Ordered } from "./account-keys.ts";
import { readEdk } from "./edk.ts";
import { currentMasterKey, hasMasterKey } from "./master-key.ts";
import type { Released } from "./master-release.ts";
import type { MovedKey } from "./move-account-keys.ts";
import type { DataKeyOrder, OrderedDataKey } from "./order-data-key.ts";
import { isolateTrust } from "./trust.ts";

/**
 * The door of the KMS. The gateway has verified access token, DPoP proof and the shape of the request; all else is decided
 * in the object of the account that the request or its EDK names. An EDK is verified first, so that it names none that
 * somebody made up.
 */
export class Kms extends WorkerEntrypoint<Env> {
  /** `POST /kms/data-keys` (M6). */
  async dataKeys(caller: Caller, request: DataKeysRequest): Promise<Result<{ edks: string[] }>> {
    return this.#object(caller, request.account).dataKeys(caller, request);
  }

  /** `POST /kms/loads` (M8). */
  async load(caller: Caller, request: LoadRequest): Promise<Result<Load>> {
    const { env } = this;
    const read = await readEdk(isolateTrust(this.#hsm(), env.COFFER_HSM_URL), request.edk);
    if (!read.ok) return this.#principal(caller).refused(caller, `kms:${request.way}`, read);
    return this.#object(caller, read.value.account).load(caller, request, read.value);
  }

  /** `POST /instances/master-key`: Enc(master) for an instance at level `master` (W6). */
  async masterKey(caller: InstanceCaller, request: MasterKeyRequest): Promise<Result<Released>> {
    return this.#principal(caller).masterKey(caller, request);
  }

  /** `POST /instances/account-key`: Enc(account) for an instance at level `account`. */
  async releaseAccountKey(caller: InstanceCaller, request: AccountKeyRequest): Promise<Result<Released>> {
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

  /** For the RA (M5): whether the tenant has a master key at the HSM. */
  async hasMasterKey({ tenant }: { tenant: string }): Promise<Result<boolean>> {
    return hasMasterKey(this.#hsm(), tenant);
  }

  /**
   * For the IAM: a new key of an account that lives, encrypted under the tenant's master key (W11). The IAM keeps it and goes to no
   * HSM for it: keys of the hierarchy answer to the KMS alone (W9).
   */
  async orderAccountKey(of: {
    tenant: string;
    account: string;
    requestId: string;
  }): Promise<Result<Ordered>> {
    return this.#object(of, of.account).orderAccountKey(of.requestId);
  }

  /** For the IAM: identifier of the tenant's master key, as it has been within ten seconds (W12). */
  async currentMasterKey({ tenant }: { tenant: string }): Promise<Result<string | null>> {
    return fromHsm("master-key", async () => ok(await currentMasterKey(this.#hsm(), tenant)));
  }

  /** For the IAM: keys of an account under the master key that has replaced theirs (W12). */
  async moveAccountKeys(of: {
    tenant: string;
    account: string;
    requestId: string;
    keys: MovedKey[];
  }): Promise<Result<MovedKey[]>> {
    return this.#object(of, of.account).moveAccountKeys(of);
  }

  /** For the IAM: a data key of an account that lives, whose Enc(data) the HSM keeps (W10, W11). */
  async orderDataKey(order: DataKeyOrder & { tenant: string }): Promise<Result<OrderedDataKey>> {
    return this.#object(order, order.account).orderDataKey(order);
  }

  /** For the IAM: a version of a data key ends for good (W10). */
  async deleteDataKey(of: {
    tenant: string;
    account: string;
    client: string;
    key: string;
    requestId: string;
  }): Promise<Result<null>> {
    return this.#object(of, of.account).deleteDataKey({ ...of, key: versionNamed(of.key) });
  }

  /** For the IAM: the account is shredded. From now on nothing of its data keys is known here. */
  async shredded(of: { tenant: string; account: string; requestId: string }): Promise<Result<null>> {
    return this.#object(of, of.account).shredded(of.requestId);
  }

  #hsm() {
    return openHsm(this.env.HSM_KMS, this.env.COFFER_HSM_URL);
  }

  #tenant({ tenant }: { tenant: string }) {
    return this.env.KMS_OBJECT.getByName(tenant);
  }

  #principal({ tenant, user }: Caller) {
    return this.env.KMS_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`);
  }

  #object({ tenant }: { tenant: string }, account: string) {
    return this.env.KMS_ACCOUNT_OBJECT.getByName(`${tenant}/${account}`);
  }
}

/** `<id>.<version>`, as the contract has it. */
function versionNamed(key: string): Version {
  const at = key.lastIndexOf(".");
  return { id: key.slice(0, at), version: Number(key.slice(at + 1)) };
}
