/**
 * The worker made from its sources: one script for workerd, and its bindings as wrangler.toml declares them. What it gives is
 * plain data, so that the package can carry it. Node only; imported by cli.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import type { EdgeUnits, EdgeWorker, WorkerOptions } from "./local.ts";
import { UNITS, type Unit } from "./units.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `built` is told what the script is made of. Throws what esbuild and wrangler throw. */
export async function bundleEdge(built?: (metafile: Metafile) => void): Promise<EdgeWorker> {
  const [script, options] = await Promise.all([bundle(built), readConfiguration("wrangler.toml")]);
  return { script, options };
}

/** One file for workerd. `conditions` choose the Web-standard builds; Node built-ins fail the build. */
async function bundle(built?: (metafile: Metafile) => void): Promise<string> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["edge/index.ts"],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    logLevel: "silent",
  });
  const [worker] = outputFiles;
  if (!worker) throw new Error("esbuild gave no bundle");
  built?.(metafile);
  return worker.text;
}

/** The bindings of each unit of split operation, as wrangler.split.toml declares them. */
export async function readUnits(): Promise<EdgeUnits> {
  const units: [Unit, WorkerOptions][] = [];
  for (const unit of UNITS) units.push([unit, await readConfiguration("wrangler.split.toml", unit)]);
  return Object.fromEntries(units) as EdgeUnits;
}

async function readConfiguration(file: string, unit?: Unit): Promise<WorkerOptions> {
  // It would warn that mTLS bindings have no local twin: the launcher makes that twin.
  process.env.WRANGLER_LOG ??= "error";
  process.env.WRANGLER_SEND_METRICS ??= "false";
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const page = unit === undefined || unit === "app";
  const { workerOptions } = unstable_getMiniflareWorkerOptions(
    join(ROOT, file),
    unit,
    // The folder of the repository and that of the assets are this machine's.
    page ? { overrides: { assets: { directory: "." } } } : {},
  );
  const { rootPath: _, ...options } = workerOptions;
  return JSON.parse(JSON.stringify(options)) as WorkerOptions;
}
