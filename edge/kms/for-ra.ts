import { WorkerEntrypoint } from "cloudflare:workers";
import type { Result } from "../result.ts";
import { tenantHsm } from "./hsm.ts";
import { hasMasterKey } from "./master-key.ts";

/**
 * The KMS's door for the registration authority. It says what an instance is; through another door it could also say who asks,
 * and have keys released to an instance of its own.
 */
export class KmsForRa extends WorkerEntrypoint<Env> {
  /** M5: whether the tenant has a master key at the HSM. */
  async hasMasterKey({ tenant }: { tenant: string }): Promise<Result<boolean>> {
    return hasMasterKey(tenantHsm(this.env, tenant), tenant);
  }

  /** W12: instances of a user were revoked. Nothing is kept for them any more, here or at the HSM. */
  async instancesEnded(of: { tenant: string; user: string; instances: string[] }): Promise<Result<null>> {
    const { tenant, user, instances } = of;
    return this.env.KMS_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`).instancesEnded(instances);
  }
}
