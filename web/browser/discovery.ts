/** Which vault an origin belongs to: its server says it, as protected resource metadata (RFC 9728). */

import { jsonAnswer } from "#protocol/answer.ts";
// By its file: a page needs no other route for this.
import { protectedResource } from "#protocol/contract/discovery.ts";
import { CofferError } from "#protocol/error.ts";

export interface Discovery {
  /** Origin of the vault. */
  vault: string;
  /** An emulator stands in for the HSM, and a page has to say so. */
  development: boolean;
}

/** How long this page's own server has to answer, milliseconds. */
const PATIENCE = 20_000;

/** Asks this page's own server. Errors: `offline`, also where it says nothing; `unexpected-response` for what is not its answer. */
export async function discover(patience: number = PATIENCE): Promise<Discovery> {
  const { path, method, answer } = protectedResource;
  const offline = (cause: unknown) => {
    throw cause instanceof CofferError ? cause : new CofferError("offline", { cause });
  };
  const metadata = await fetch(path, {
    method,
    headers: { accept: "application/json" },
    credentials: "omit",
    cache: "no-store",
    redirect: "error",
    signal: AbortSignal.timeout(patience),
  })
    .then(jsonAnswer(answer.status, answer.json))
    .catch(offline);
  const [vault = ""] = metadata.authorization_servers;
  if (!isOrigin(vault)) throw new CofferError("unexpected-response");
  return { vault, development: metadata.coffer_environment !== "production" };
}

/** What was found before, kept as JSON where others may write too; undefined for what says no vault. */
export function remembered(kept: string): Discovery | undefined {
  try {
    const { vault, development } = JSON.parse(kept) as Record<keyof Discovery, unknown>;
    if (typeof vault === "string" && isOrigin(vault)) return { vault, development: development !== false };
  } catch {}
  return undefined;
}

function isOrigin(vault: string): boolean {
  return URL.canParse(vault) && new URL(vault).origin === vault;
}
