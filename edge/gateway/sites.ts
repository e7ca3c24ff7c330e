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

/** Which site a request came to, by its host; null for any other host. */
export function siteAt(request: Request, { apps, vault }: Origins): Site | null {
  const url = new URL(request.url);
  if (!isSameHost(url, request.headers.get("host"))) return null;
  if (url.host === new URL(vault).host) return { name: "vault", origin: vault };
  const origin = apps.find((app) => url.host === new URL(app).host);
  return origin === undefined ? null : { name: "app", origin };
}

/**
 * Whether a request came to the host of its address. In development the address is told by headers that any page may
 * send, which a name that was rebound to this machine (DNS rebinding) would have read as ours; the Host header is the
 * browser's own.
 */
function isSameHost(url: URL, host: string | null): boolean {
  if (host === null) return true;
  const named = `${url.protocol}//${host}`;
  if (!/^[a-z0-9.:[\]-]+$/i.test(host) || !URL.canParse(named)) return false;
  return new URL(named).host === url.host;
}
