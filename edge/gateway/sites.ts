import { configuredApps } from "../apps.ts";

/** The two origins on which the edge answers. The page is on an app's, key handling on the vault's. */
export type Site = { name: "app" | "vault"; origin: string };

export type Origins = { apps: string[]; vault: string };

/** Origins by configuration. Throws if an app's origin is the vault's: the separation would be gone. */
export function configuredOrigins(env: Pick<Env, "COFFER_APP_ORIGINS" | "COFFER_VAULT_ORIGIN">): Origins {
  const vault = new URL(env.COFFER_VAULT_ORIGIN).origin;
  const apps = configuredApps(env).map(({ origin }) => origin);
  if (apps.includes(vault)) throw new Error("An app and the vault must not share an origin");
  return { apps, vault };
}

/** Which site a request is for, by its host; null for any other host. */
export function siteOf(url: URL, { apps, vault }: Origins): Site | null {
  if (url.host === new URL(vault).host) return { name: "vault", origin: vault };
  const origin = apps.find((app) => url.host === new URL(app).host);
  return origin === undefined ? null : { name: "app", origin };
}
