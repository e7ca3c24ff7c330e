import type { TenantTable } from "#edge/local.ts";
import { claimPort } from "#edge/loopback.ts";
import { CALLBACK } from "#edge/oidc.ts";
import { type IdentityProvider, startIdentityProvider } from "#emulator/identity-provider/index.ts";
import { BY_NAME } from "./development-issuer.ts";

/** One identity provider for all tenants, each of them a client of its own. Throws an `Error` with a sentence if the port is taken. */
export async function startProvider(tenants: TenantTable, port: number): Promise<IdentityProvider> {
  await claimPort(port);
  const clients = Object.entries(tenants).map(([id, { vault }]) => ({
    id,
    redirectUris: [vault + CALLBACK],
    afterLogout: [`${vault}/account`],
  }));
  return startIdentityProvider({ port, clients });
}

/** The tenants with that provider. Whoever signed in by a name before there was one is the same principal. */
export function withProvider(tenants: TenantTable, { issuer }: IdentityProvider): TenantTable {
  const development = { issuer: BY_NAME, subject: "name" };
  const entries = Object.entries(tenants).map(([clientId, tenant]) => [
    clientId,
    { oidc: { issuer, clientId, development }, ...tenant },
  ]);
  return Object.fromEntries(entries) as TenantTable;
}
