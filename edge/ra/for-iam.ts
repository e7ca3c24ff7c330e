import { WorkerEntrypoint } from "cloudflare:workers";
import type { Enrolled } from "../enrolled.ts";
import type { Result } from "../result.ts";

/** The registration authority's door for the IAM: what an instance is, and which ones have ended. */
export class RaForIam extends WorkerEntrypoint<Env> {
  /** The user's instance with this id. Anybody may have named it. */
  async instance(of: { tenant: string; user: string; instance: string }): Promise<Result<Enrolled>> {
    return this.#principal(of.tenant, of.user).instance(of);
  }

  /** That instance has shown that it holds its identity key. */
  async used(of: { tenant: string; user: string; instance: string }): Promise<Result<null>> {
    return this.#principal(of.tenant, of.user).used(of);
  }

  /** Sign-ins of a user by these DPoP keys have ended, and their instances with them. */
  async ended(of: { tenant: string; user: string; jkts: string[] }): Promise<Result<null>> {
    return this.#principal(of.tenant, of.user).ended(of.jkts);
  }

  #principal(tenant: string, user: string) {
    return this.env.RA_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`);
  }
}
