import type { TenantTable } from "#edge/local.ts";
import { claimPort } from "#edge/loopback.ts";
import { CALLBACK } from "#edge/oidc.ts";
import { type IdentityProvider, startIdentityProvider } from "#emulator/identity-provider/index.ts";
import { BY_NAME } from "./development-issuer.ts";

/** What a development deployment's apps and vault are on. */
export type Loopback = "localhost" | "127.0.0.1";

/**
 * One identity provider for all tenants, each of them a client of its own. It is on the other name of this machine than the apps: another site, as in
 * production. Throws an `Error` with a sentence if the port is taken.
 */
export async function startProvider(
  tenants: TenantTable,
  port: number,
  apps: Loopback,
): Promise<IdentityProvider> {
  await claimPort(port);
  const clients = Object.entries(tenants).map(([id, { vault }]) => ({
    id,
    redirectUris: [vault + CALLBACK],
    afterLogout: [`${vault}/account`],
  }));
  return startIdentityProvider({ port, clients, host: apps === "localhost" ? "127.0.0.1" : "localhost" });
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
