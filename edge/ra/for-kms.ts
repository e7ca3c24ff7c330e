import { WorkerEntrypoint } from "cloudflare:workers";
import type { Enrolled } from "../enrolled.ts";
import type { Result } from "../result.ts";
import type { Recipient } from "./types.ts";

/** The registration authority's door for the KMS: what an instance is, and no way to become one. */
export class RaForKms extends WorkerEntrypoint<Env> {
  /** The user's instance that holds the wrapping certificate with this base64url SHA-256. */
  async recipient(of: { tenant: string; user: string; thumbprint: string }): Promise<Result<Recipient>> {
    return this.#principal(of.tenant, of.user).recipient(of);
  }

  /**
   * The user's instance with this id, which asks for itself; with `identityCertificate` (base64url SHA-256) the one with this certificate, of
   * those that it was renewed from or by.
   */
  async instance(of: {
    tenant: string;
    user: string;
    instance: string;
    identityCertificate?: string;
  }): Promise<Result<Enrolled>> {
    return this.#principal(of.tenant, of.user).instance(of);
  }

  #principal(tenant: string, user: string) {
    return this.env.RA_PRINCIPAL_OBJECT.getByName(`${tenant}/${user}`);
  }
}
