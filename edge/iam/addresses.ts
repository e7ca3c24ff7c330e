import { KeptByTenant } from "../kept.ts";
import { principalOf } from "../secret.ts";
import { type Tenant, tenantNamed } from "../tenants.ts";
import type { RelyingParty } from "./oidc/index.ts";
import { relyingParty } from "./relying-party.ts";
import type { Settings } from "./settings.ts";
import { ticketKey } from "./ticket.ts";

/** This isolate's. */
const kept = new KeptByTenant<Settings>("settings");

/** Where the IAM's objects are, and what an isolate keeps of a tenant's. */
export class Addresses {
  readonly env: Env;

  constructor(env: Env) {
    this.env = env;
  }

  /** As this isolate has them. */
  settings(tenant: string): Promise<Settings> {
    return kept.of(tenant, () => this.object(tenant).settings());
  }

  tenant(name: string): Tenant {
    return tenantNamed(this.env, name);
  }

  /** The tenant's own object; none for a name that is in no table. */
  object(tenant: string) {
    return this.env.IAM_OBJECT.getByName(this.tenant(tenant).name);
  }

  /** Where it is known which sign-ins have come back: one of 64 places, so that not all people of a tenant meet in one. */
  transactions(tenant: string, id: string) {
    return this.env.IAM_OBJECT.getByName(`${this.tenant(tenant).name}/sign-ins-${id.slice(0, 1)}`);
  }

  principal(tenant: string, principal: string) {
    return this.env.IAM_PRINCIPAL_OBJECT.getByName(`${this.tenant(tenant).name}/${principal}`);
  }

  account(tenant: string, account: string) {
    return this.env.IAM_ACCOUNT_OBJECT.getByName(`${this.tenant(tenant).name}/${account}`);
  }

  /** The object that a cookie addresses. */
  holder(tenant: string, cookie: string) {
    const principal = principalOf(cookie);
    return principal === null ? null : this.principal(tenant, principal);
  }

  ticketKey(tenant: string): Promise<CryptoKey> {
    return ticketKey(tenant, () => this.object(tenant).ticketKey());
  }

  party(tenant: Tenant): Promise<RelyingParty | null> {
    return relyingParty(this.env, tenant, () => this.object(tenant.name).ticketKey());
  }
}
