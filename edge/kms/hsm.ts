import { DEFAULT_BACK_END, type TenantBackEnd } from "#protocol/hierarchy/index.ts";
import { type Hsm, openHsm } from "../hsm/index.ts";
import { configuredTenants, type TenantsConfiguration } from "../tenants.ts";
import { ofHsm } from "./back-ends/tenant.ts";

type AtHsm = Pick<Env, "HSM_KMS" | "COFFER_HSM_URL">;

/**
 * What the tenant's entry says of its back end. A unit that has no table of tenants, and a tenant that is not in it any more, go
 * without nothing.
 */
export function backEndOf(env: Partial<TenantsConfiguration>, tenant: string): TenantBackEnd {
  const { COFFER_TENANTS, COFFER_ENVIRONMENT } = env;
  if (COFFER_TENANTS === undefined) return DEFAULT_BACK_END;
  const table = { COFFER_TENANTS, ...(COFFER_ENVIRONMENT !== undefined && { COFFER_ENVIRONMENT }) };
  return configuredTenants(table).byName.get(tenant)?.backEnd ?? DEFAULT_BACK_END;
}

/** The HSM with a tenant's keys: nothing is asked of it where it keeps less than the tenant's entry asks for. */
export function tenantHsm(env: AtHsm & Partial<TenantsConfiguration>, tenant: string): Hsm {
  return openHsm(env.HSM_KMS, env.COFFER_HSM_URL, ofHsm(backEndOf(env, tenant)));
}

/** The same where no key of a tenant is asked for: the trust list, which the whole deployment has. */
export function deploymentHsm(env: AtHsm): Hsm {
  return openHsm(env.HSM_KMS, env.COFFER_HSM_URL);
}
