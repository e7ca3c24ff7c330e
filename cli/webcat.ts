/** A release's manifest in the form of WEBCAT (freedomofpress/webcat), for the browsers that check an origin's files by it. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Release } from "#protocol/evidence/index.ts";
import { VAULT_POLICY } from "./vault-rules.ts";

/**
 * Of the vault's origin, whose document the `apps` may frame: JSON, whose members are in one order. WEBCAT knows no `worker-src blob:`, by which the
 * loader starts the microservice from the bytes that it has measured, so its check of the policy refuses this one rule.
 */
export async function webcatManifest(
  { release, files }: Release,
  web: string,
  apps: readonly string[],
): Promise<string> {
  const served = files.filter(({ path }) => path.startsWith("vault/"));
  const hashes = await Promise.all(
    served.map(async ({ path, sha384 }) => {
      const bytes = await readFile(join(web, path));
      if (createHash("sha384").update(bytes).digest("hex") !== sha384)
        throw new Error(`${path} is not what the manifest says`);
      return [path.slice("vault".length), createHash("sha256").update(bytes).digest("hex")] as const;
    }),
  );
  const policy = { ...VAULT_POLICY, "frame-ancestors": apps.join(" ") };
  const text = Object.entries(policy).map(([name, value]) => `${name} ${value}`);
  return `${JSON.stringify(
    {
      name: "Coffer vault",
      version: String(release),
      default_csp: text.join("; "),
      extra_csp: {},
      default_index: "index.html",
      default_fallback: "/index.html",
      files: Object.fromEntries(hashes),
      wasm: [],
    },
    null,
    2,
  )}\n`;
}
