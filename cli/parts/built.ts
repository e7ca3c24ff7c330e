/** What `coffer start` runs, from the folder of the package, where it lies built. In the place of sources.ts there. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { EdgeUnits, EdgeWorker } from "#edge/local.ts";
import { readWebParts, type WebParts } from "#web/pin.ts";

export const COFFER = "npx coffer";
export const START = "npx coffer start";
/** This file is part of a script in `dist/package`. */
export const MANIFEST = new URL("../../package.json", import.meta.url);

export async function edgeWorker(): Promise<EdgeWorker> {
  const [script, options] = await Promise.all([read("worker.js"), read("options.json")]);
  return { script, options: JSON.parse(options) as EdgeWorker["options"] };
}

export async function edgeUnits(): Promise<EdgeUnits> {
  return JSON.parse(await read("units.json")) as EdgeUnits;
}

function read(name: string): Promise<string> {
  return readFile(new URL(`edge/${name}`, import.meta.url), "utf8");
}

export async function webParts(): Promise<WebParts> {
  return readWebParts(fileURLToPath(new URL("web", import.meta.url)));
}
