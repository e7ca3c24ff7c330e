import type { Site, Tenants } from "../tenants.ts";

/** Which site of which tenant a request came to, by its host; null for any other host. */
export function siteAt(request: Request, { byHost }: Tenants): Site | null {
  const url = new URL(request.url);
  if (!isSameHost(url, request.headers.get("host"))) return null;
  return byHost.get(url.host) ?? null;
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
