import { WorkerEntrypoint } from "cloudflare:workers";
import { fail, type Result } from "../result.ts";
import { tenantNamed } from "../tenants.ts";
import { findClient } from "./clients.ts";

type OfApp = { tenant: string; app: string; requestId: string };

/**
 * What an operator decides for a tenant. Nothing that answers the public network is bound to it: who may call it is whoever
 * the deployment binds.
 */
export class IamAdministration extends WorkerEntrypoint<Env> {
  /** The app (OAuth client id) gets no code, no token and no membership any more, ten seconds from now at the latest. */
  async denyApp({ tenant, app, requestId }: OfApp): Promise<Result<null>> {
    const known = findClient(tenantNamed(this.env, tenant), app);
    if (known === undefined) return fail("invalid-client");
    return this.#object(tenant).changeApp({ app, denied: true, requestId });
  }

  async allowApp({ tenant, app, requestId }: OfApp): Promise<Result<null>> {
    return this.#object(tenant).changeApp({ app, denied: false, requestId });
  }

  /** Ends all sessions of a user, and all that was issued in them, at once. */
  async endUser(of: { tenant: string; user: string; requestId: string }): Promise<Result<null>> {
    const tenant = tenantNamed(this.env, of.tenant).name;
    return this.env.IAM_PRINCIPAL_OBJECT.getByName(`${tenant}/${of.user}`).endAll(of.requestId);
  }

  #object(tenant: string) {
    return this.env.IAM_OBJECT.getByName(tenantNamed(this.env, tenant).name);
  }
}
