import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Metafile } from "esbuild";
import { bundleEdge, readUnits } from "#edge/bundle.ts";
import { compileWeb } from "#web/build.ts";
import { bundledPackages, NOTICES, noticesOf } from "./notices.ts";
import { OUT } from "./paths.ts";
import { buildTag } from "./scripts.ts";

/** The edge worker, the vault, the page and the tag, where cli/parts/built.ts looks for them, and whose code is in them. */
export async function buildParts(): Promise<void> {
  const packages: string[] = [];
  const built = (metafile: Metafile) => void packages.push(...bundledPackages(metafile));
  const [{ script, options }, web] = await Promise.all([
    bundleEdge(built),
    compileWeb(built),
    buildTag(built),
  ]);
  await write(NOTICES, noticesOf(packages));
  await write("edge/worker.js", script);
  await write("edge/options.json", `${JSON.stringify(options, null, 2)}\n`);
  await write("edge/units.json", `${JSON.stringify(await readUnits(), null, 2)}\n`);
  for (const [path, bytes] of web) await write(`web/${path}`, bytes);
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(OUT, path)), { recursive: true });
  await writeFile(join(OUT, path), content);
}
