/**
 * What `coffer start` runs, made from the sources of a clone. The package, which has no sources, has built.ts in the place of
 * this file (cli/package/scripts.ts); both export the same.
 */
import type { EdgeUnits, EdgeWorker } from "#edge/local.ts";
import type { WebParts } from "#web/pin.ts";

/** How the command is typed here, and how the server is started. */
export const COFFER = "node cli/coffer.js";
export const START = "npm start";
/** The package's manifest. */
export const MANIFEST = new URL("../../package.json", import.meta.url);

export async function edgeWorker(): Promise<EdgeWorker> {
  const { bundleEdge } = await import("#edge/bundle.ts");
  return bundleEdge();
}

export async function edgeUnits(): Promise<EdgeUnits> {
  const { readUnits } = await import("#edge/bundle.ts");
  return readUnits();
}

export async function webParts(): Promise<WebParts> {
  const { compileWeb } = await import("#web/build.ts");
  return compileWeb();
}
