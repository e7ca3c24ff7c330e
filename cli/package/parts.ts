import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { edgeWorker, webParts } from "../parts/index.ts";
import { OUT } from "./paths.ts";

/** The edge worker, the vault and the page, where cli/parts/built.ts looks for them. */
export async function buildParts(): Promise<void> {
  const [{ script, options }, web] = await Promise.all([edgeWorker(), webParts()]);
  await write("edge/worker.js", script);
  await write("edge/options.json", `${JSON.stringify(options, null, 2)}\n`);
  for (const [path, bytes] of web) await write(`web/${path}`, bytes);
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(OUT, path)), { recursive: true });
  await writeFile(join(OUT, path), content);
}
