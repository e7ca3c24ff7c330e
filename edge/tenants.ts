/**
 * The tenants of a deployment: the table COFFER_TENANTS of wrangler.toml. Whose a request is, its host says, and nothing
 * else that it brings; a host that is in no tenant is answered by nobody.
 */

import {
  ACCOUNT_KEYS,
  type AccountKeys,
  APP_KEYS,
  type AppKeys,
  ASSURANCES,
  DATA_KEYS,
  type DataKeys,
  DEFAULT_BACK_END,
  isTenantName,
  KMIP_VERSIONS,
  type TenantBackEnd,
} from "#protocol/hierarchy/index.ts";
import { DEFAULT_LEVEL, LEVELS, type Level } from "#protocol/level.ts";
import { SECOND_LAYERS, type SecondLayer } from "#protocol/second-layer.ts";
import { checked, list, literal, object, text, union } from "#protocol/shape.ts";
import { type NamedAdmin, namedAdmin, readAdmin } from "./admins.ts";
import { type App, isLocalhost, isOrigin, readApps } from "./apps.ts";
import { isEndpoint, type OidcSettings, oidcTable, readOidc } from "./oidc.ts";

export type Tenant = {
  name: string;
  vault: string;
  apps: App[];
  /** Null where nobody can sign in. */
  oidc: OidcSettings | null;
  /** For which its master key was made: what an instance may get. */
  level: Level;
  /** Who is an admin whatever the stored state says: the first, before anybody can make another. */
  admins: NamedAdmin[];
  /** What its instances encrypt once more under the master key (W14). */
  secondLayer?: SecondLayer;
  /** What its instances have as app-specific keys (W1); an RSA pair where nothing is said. */
  appKeys?: AppKeys;
  /** What account keys are made as from now on; those that there are stay as they are. */
  accountKeys: AccountKeys;
  /** What data keys are made as from now on, at the levels at which an account has its own; the same goes for them. */
  dataKeys: DataKeys;
  /** What holds its keys, and what of a back end's assurances it goes without. */
  backEnd: TenantBackEnd;
};

/** A tenant's origins, as browsers are told them. */
export type Origins = { apps: string[]; vault: string };

/** What answers at a host: the page on an app's, key handling on the vault's. */
export type Site = { tenant: Tenant; name: "app" | "vault"; origin: string; origins: Origins };

export type Tenants = {
  byName: ReadonlyMap<string, Tenant>;
  /** By the host of an address, with its port where that is not the usual one. */
  byHost: ReadonlyMap<string, Site>;
  /** Whether every origin of every tenant is on this machine. */
  local: boolean;
};

export type TenantsConfiguration = { COFFER_TENANTS: unknown; COFFER_ENVIRONMENT?: string };

/** Tenants of one deployment; a table of so many takes an isolate a fraction of a second, once. */
const MAXIMUM = 10_000;
const without = list(literal(...ASSURANCES), 0, ASSURANCES.length);
const newest = literal(...KMIP_VERSIONS);
const entry = object(
  { vault: text(1, 300), apps: list(text(1, 600), 1, 64) },
  {
    oidc: oidcTable,
    level: literal(...LEVELS),
    accountKeys: literal(...ACCOUNT_KEYS),
    dataKeys: literal(...DATA_KEYS),
    appKeys: literal(...APP_KEYS),
    secondLayer: literal(...SECOND_LAYERS),
    backEnd: union("kind", {
      kmip: object({ kind: literal("kmip") }, { newest, without }),
      "aws-kms": object(
        {
          kind: literal("aws-kms"),
          key: text(1, 256, /^[\w:/-]+$/),
          region: text(1, 32, /^[a-z0-9-]+$/),
          secret: text(1, 64, /^COFFER_AWS_SECRET[A-Z0-9_]*$/),
        },
        { endpoint: text(1, 300), without, hsm: object({}, { newest, without }) },
      ),
    }),
    admins: list(namedAdmin, 0, 16),
  },
);

let kept: { table: unknown; environment: string | undefined; tenants: Tenants } | undefined;

/** Reads the table once an isolate, whatever its length. Throws for one that is not as it should be, and the log says why. */
export function configuredTenants({
  COFFER_TENANTS: table,
  COFFER_ENVIRONMENT,
}: TenantsConfiguration): Tenants {
  if (kept === undefined || kept.table !== table || kept.environment !== COFFER_ENVIRONMENT)
    kept = { table, environment: COFFER_ENVIRONMENT, tenants: readOrTell(table, COFFER_ENVIRONMENT) };
  return kept.tenants;
}

/** The tenant of a domain's object. Throws for one that is not in the table any more. */
export function tenantNamed(env: TenantsConfiguration, name: string): Tenant {
  const tenant = configuredTenants(env).byName.get(name);
  if (tenant === undefined) throw new Error("The tenant is not in COFFER_TENANTS");
  return tenant;
}

function readOrTell(table: unknown, environment: string | undefined): Tenants {
  try {
    return readTenants(table, environment !== "development");
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    console.error(JSON.stringify({ event: "configuration", variable: "COFFER_TENANTS", reason }));
    throw error;
  }
}

/** The table as it is in wrangler.toml. In production (`strict`) what is not on this machine has HTTPS on its usual port. */
export function readTenants(table: unknown, strict: boolean): Tenants {
  if (typeof table !== "object" || table === null || Array.isArray(table))
    throw new TypeError("COFFER_TENANTS is no table of tenants");
  const entries = Object.entries(table);
  if (entries.length < 1 || entries.length > MAXIMUM)
    throw new TypeError(`COFFER_TENANTS has ${entries.length} tenants, not 1 to ${MAXIMUM}`);
  const byName = new Map<string, Tenant>();
  const byHost = new Map<string, Site>();
  for (const [name, value] of entries) {
    try {
      const tenant = readTenant(name, value, strict);
      byName.set(name, tenant);
      for (const site of sitesOf(tenant)) addSite(byHost, site, strict);
    } catch (error) {
      throw new TypeError(`COFFER_TENANTS, ${name.slice(0, 64)}: ${(error as Error).message}`);
    }
  }
  const local = [...byHost.values()].every(({ origin }) => isLocalhost(origin));
  return { byName, byHost, local };
}

function readTenant(name: string, value: unknown, strict: boolean): Tenant {
  if (!isTenantName(name)) throw new Error("is no name of up to 63 lower-case letters, digits and hyphens");
  const { vault, apps, oidc, accountKeys = "AES-256", secondLayer, appKeys, ...rest } = checked(entry, value);
  const { level = DEFAULT_LEVEL, admins = [], dataKeys = "AES-256" } = rest;
  const backEnd: TenantBackEnd = { without: [], ...(rest.backEnd ?? DEFAULT_BACK_END) };
  if (!isOrigin(vault)) throw new Error(`${vault} is no origin`);
  if (secondLayer !== undefined && level !== "master")
    throw new Error(`secondLayer is put on by the master key, which no instance has at level ${level}`);
  if (appKeys === "AES-256" && level !== "master")
    throw new Error(
      `a symmetric app-specific key wraps the master key, which no instance has at level ${level}`,
    );
  if (dataKeys !== "AES-256" && level === "data")
    throw new Error(
      `dataKeys are ${dataKeys} where instances open them by an account key, which none has at level data`,
    );
  if (backEnd.without.includes("account-keys") && level !== "data")
    throw new Error(
      `backEnd goes without account-keys, by which instances open data keys themselves at level ${level}`,
    );
  if (backEnd.kind === "aws-kms" && level !== "data")
    throw new Error(`backEnd is aws-kms, whose keys no instance opens by itself at level ${level}`);
  if (backEnd.kind === "aws-kms" && backEnd.endpoint !== undefined && !isEndpoint(backEnd.endpoint, strict))
    throw new Error(`${backEnd.endpoint} is no ${strict ? "HTTPS " : ""}address of AWS KMS`);
  const provider = oidc === undefined ? null : readOidc(oidc, strict);
  const more = {
    ...(secondLayer && { secondLayer }),
    ...(appKeys && { appKeys }),
    admins: admins.map(readAdmin),
  };
  return {
    name,
    vault,
    apps: readApps(apps),
    level,
    accountKeys,
    dataKeys,
    backEnd,
    oidc: provider,
    ...more,
  };
}

function sitesOf(tenant: Tenant): Site[] {
  const { vault } = tenant;
  const origins = { apps: tenant.apps.map(({ origin }) => origin), vault };
  const apps = origins.apps.map((origin): Site => ({ tenant, name: "app", origin, origins }));
  return [{ tenant, name: "vault", origin: vault, origins }, ...apps];
}

/** Adds a site to those of its deployment. No two share a host: each tenant, app and vault is told by it alone. */
function addSite(byHost: Map<string, Site>, site: Site, strict: boolean): void {
  const { origin } = site;
  // An origin has one spelling: what follows the scheme is the host. A URL for each would make a long table slow to read.
  const host = origin.slice(origin.indexOf("//") + 2);
  if (strict && (!origin.startsWith("https:") || /:\d+$/.test(host)) && !isLocalhost(origin))
    throw new Error(`${origin} is not HTTPS on its usual port`);
  const taken = byHost.get(host);
  if (taken !== undefined) throw new Error(`${host} is of ${taken.tenant.name} already`);
  byHost.set(host, site);
}
