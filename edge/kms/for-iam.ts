import { WorkerEntrypoint } from "cloudflare:workers";
import { fromHsm } from "../hsm/index.ts";
import type { Identified, IdentifierAsk } from "../key-identifiers.ts";
import { ok, type Result } from "../result.ts";
import { versionNamed } from "./account-data-keys.ts";
import type { AccountKeyOrder, Ordered } from "./account-keys.ts";
import { tenantHsm } from "./hsm.ts";
import { currentMasterKey } from "./master-key.ts";
import type { MovedKey } from "./move-account-keys.ts";
import type { DataKeyOrder, OrderedDataKey } from "./order-data-key.ts";
import { partOf } from "./rotation/index.ts";

/** The KMS's door for the IAM, which keeps account keys and names data keys: it orders and ends them, and is released none. */
export class KmsForIam extends WorkerEntrypoint<Env> {
  /**
   * A new key of an account that lives, encrypted under the tenant's master key (W11). The IAM keeps it and goes to no
   * HSM for it: keys of the hierarchy answer to the KMS alone (W9).
   */
  async orderAccountKey(of: AccountKeyOrder & { tenant: string; account: string }): Promise<Result<Ordered>> {
    const { requestId, kind, made } = of;
    return this.#object(of).orderAccountKey({ requestId, kind, ...(made && { made }) });
  }

  /** Identifier of the tenant's master key, as it has been within ten seconds (W12). */
  async currentMasterKey({ tenant }: { tenant: string }): Promise<Result<string | null>> {
    return fromHsm("master-key", async () =>
      ok((await currentMasterKey(tenantHsm(this.env, tenant), tenant))?.key ?? null),
    );
  }

  /** Keys of an account under the master key that has replaced theirs (W12). */
  async moveAccountKeys(of: {
    tenant: string;
    account: string;
    requestId: string;
    keys: MovedKey[];
  }): Promise<Result<MovedKey[]>> {
    return this.#object(of).moveAccountKeys(of);
  }

  /** A data key of an account that lives, whose Enc(data) the HSM keeps (W10, W11). */
  async orderDataKey(order: DataKeyOrder & { tenant: string }): Promise<Result<OrderedDataKey>> {
    return this.#object(order).orderDataKey(order);
  }

  /** A version of a data key ends for good (W10). */
  async deleteDataKey(of: {
    tenant: string;
    account: string;
    client: string;
    key: string;
    requestId: string;
  }): Promise<Result<null>> {
    return this.#object(of).deleteDataKey({ ...of, key: versionNamed(of.key) });
  }

  /** A version of a data key ends later, or is kept after all (W10). */
  async scheduleDataKey(of: {
    tenant: string;
    account: string;
    client: string;
    key: string;
    requestId: string;
    ends: number | null;
  }): Promise<Result<null>> {
    return this.#object(of).scheduleDataKey({ ...of, key: versionNamed(of.key) });
  }

  /** The account is shredded. From now on nothing of its data keys is known here. */
  async shredded(of: { tenant: string; account: string; requestId: string }): Promise<Result<null>> {
    const ended = await this.#object(of).shredded(of.requestId);
    if (!ended.ok) return ended;
    return (await partOf(this.env.KMS_ROTATION_OBJECT, of.tenant, of.account)).remove(of.account);
  }

  /** A member has left. What is sealed for the list from now on is under another key than they may have. */
  async left(of: { tenant: string; account: string; requestId: string }): Promise<Result<null>> {
    return this.#object(of).left(of.requestId);
  }

  /** There is this account. It goes onto the list that a rotation goes through (W12). */
  async listed({ tenant, account }: { tenant: string; account: string }): Promise<Result<null>> {
    return (await partOf(this.env.KMS_ROTATION_OBJECT, tenant, account)).add(account);
  }

  /** W15: the account's table of key identifiers, where the deployment has it with the KMS. */
  async keyIdentifiers(
    of: { tenant: string; account: string; requestId: string },
    asked: IdentifierAsk,
  ): Promise<Result<Identified>> {
    return this.#object(of).keyIdentifiers(asked, of.requestId);
  }

  #object({ tenant, account }: { tenant: string; account: string }) {
    return this.env.KMS_ACCOUNT_OBJECT.getByName(`${tenant}/${account}`);
  }
}
