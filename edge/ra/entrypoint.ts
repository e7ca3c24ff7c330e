import { WorkerEntrypoint } from "cloudflare:workers";
import type { Redemption } from "#protocol/contract/index.ts";
import type { Caller } from "../caller.ts";
import type { Result } from "../result.ts";
import type { Enrolment, EnrolmentOpened, GrantIssued, Instance, Recipient, SignedIn } from "./types.ts";

/**
 * The door of the registration authority. The gateway has verified access token and DPoP proof (for `Caller`) or the
 * vault's cookie (for `SignedIn`, with the Origin header as it came); everything else is decided in the tenant's object.
 */
export class Ra extends WorkerEntrypoint<Env> {
  /** `POST /ra/grants` (M3, M5). */
  async grant(caller: Caller): Promise<Result<GrantIssued>> {
    return this.#object(caller.tenant).grant(caller);
  }

  /** `POST /ra/enrolments`, on the vault's origin. */
  async openEnrolment(by: SignedIn): Promise<Result<EnrolmentOpened>> {
    return this.#object(by.tenant).openEnrolment(by);
  }

  /** `POST /ra/enrolments/{id}`, on the vault's origin. */
  async redeemEnrolment(by: SignedIn, id: string, request: Redemption): Promise<Result<Enrolment>> {
    return this.#object(by.tenant).redeemEnrolment(by, id, request);
  }

  /** For the KMS: the holder of the wrapping certificate with this base64url SHA-256. */
  async recipient({
    tenant,
    thumbprint,
  }: {
    tenant: string;
    thumbprint: string;
  }): Promise<Result<Recipient>> {
    return this.#object(tenant).recipient(thumbprint);
  }

  /** The caller's own instances, newest first. */
  async instances(caller: Caller): Promise<Result<Instance[]>> {
    return this.#object(caller.tenant).instances(caller);
  }

  /** Ends an instance of the caller. */
  async revoke(caller: Caller, id: string): Promise<Result<void>> {
    return this.#object(caller.tenant).revoke(caller, id);
  }

  /** For the IAM: the sign-ins of custodians with these DPoP keys have ended, and their instances with them. */
  async ended({ tenant, jkts }: { tenant: string; jkts: string[] }): Promise<Result<null>> {
    return this.#object(tenant).ended(jkts);
  }

  #object(tenant: string) {
    return this.env.RA_OBJECT.getByName(tenant);
  }
}
