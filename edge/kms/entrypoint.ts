import { WorkerEntrypoint } from "cloudflare:workers";
import type { DataKeysRequest, ExportRequest } from "#protocol/contract/index.ts";
import type { Load, LoadRequest } from "#protocol/keys/index.ts";
import type { Caller } from "../caller.ts";
import type { Result } from "../result.ts";

/** The door of the KMS. The gateway has verified access token, DPoP proof and the shape of the request; all else is decided in the tenant's object. */
export class Kms extends WorkerEntrypoint<Env> {
  /** `POST /kms/data-keys` (M6). */
  async dataKeys(caller: Caller, request: DataKeysRequest): Promise<Result<{ edks: string[] }>> {
    return this.#object(caller.tenant).dataKeys(caller, request);
  }

  /** `POST /kms/loads` (M8). */
  async load(caller: Caller, request: LoadRequest): Promise<Result<Load>> {
    return this.#object(caller.tenant).load(caller, request);
  }

  /** `POST /kms/exports`: an order to seal documents again under a key that the user holds. It is decided and recorded, no more. */
  async orderExport(caller: Caller, request: ExportRequest): Promise<Result<{ order: string }>> {
    return this.#object(caller.tenant).orderExport(caller, request);
  }

  /** For the RA (M5): whether the tenant has a master key at the HSM. */
  async hasMasterKey({ tenant }: { tenant: string }): Promise<Result<boolean>> {
    return this.#object(tenant).hasMasterKey();
  }

  #object(tenant: string) {
    return this.env.KMS_OBJECT.getByName(tenant);
  }
}
