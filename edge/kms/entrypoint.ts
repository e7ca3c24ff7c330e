import { WorkerEntrypoint } from "cloudflare:workers";
import type { Caller } from "../caller.ts";
import type { Result } from "../result.ts";
import type { Rewrapped } from "./types.ts";

/** The door of the KMS. The gateway has verified access token and DPoP proof; all else is decided in the tenant's object. */
export class Kms extends WorkerEntrypoint<Env> {
  /** `POST /kms/data-keys` (M6). `body` is the parsed JSON as sent; it is checked here. */
  async dataKeys(caller: Caller, body: unknown): Promise<Result<{ edks: string[] }>> {
    return this.#object(caller.tenant).dataKeys(caller, body);
  }

  /** `POST /kms/rewrap` (M8). `body` is the parsed JSON as sent; it is checked here. */
  async rewrap(caller: Caller, body: unknown): Promise<Result<Rewrapped>> {
    return this.#object(caller.tenant).rewrap(caller, body);
  }

  /** `POST /kms/exports`: an order to seal documents again under a key that the user holds. It is decided and recorded, no more. */
  async orderExport(caller: Caller, body: unknown): Promise<Result<{ order: string }>> {
    return this.#object(caller.tenant).orderExport(caller, body);
  }

  /** For the RA (M5): whether the tenant has a master key at the HSM. */
  async hasMasterKey({ tenant }: { tenant: string }): Promise<Result<boolean>> {
    return this.#object(tenant).hasMasterKey();
  }

  #object(tenant: string) {
    return this.env.KMS_OBJECT.getByName(tenant);
  }
}
