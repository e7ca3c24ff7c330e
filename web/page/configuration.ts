/** Which vault this page belongs to: the server that serves the page says it, as protected resource metadata (RFC 9728). */

import { CofferError } from "#web/browser/index.ts";

export interface Configuration {
  /** Origin of the vault. */
  vault: string;
  /** An emulator stands in for the HSM, and the page says so. */
  development: boolean;
}

/** Errors: `offline`, `unexpected-response` for what is not this server's answer. */
export async function readConfiguration(): Promise<Configuration> {
  const response = await fetch("/.well-known/oauth-protected-resource", {
    credentials: "omit",
    cache: "no-store",
    redirect: "error",
  }).catch((cause: unknown) => {
    throw new CofferError("offline", { cause });
  });
  const json = response.headers.get("content-type")?.split(";", 1)[0] === "application/json";
  const value = (
    json && response.status === 200 ? await response.json().catch(() => undefined) : undefined
  ) as { authorization_servers?: unknown; coffer_environment?: unknown } | undefined;
  const [vault] = Array.isArray(value?.authorization_servers) ? value.authorization_servers : [];
  if (typeof vault !== "string" || !URL.canParse(vault) || new URL(vault).origin !== vault) {
    throw new CofferError("unexpected-response", { status: response.status });
  }
  return { vault, development: value?.coffer_environment !== "production" };
}
