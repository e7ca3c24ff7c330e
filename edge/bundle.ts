/**
 * The worker made from its sources: one script for workerd, and its bindings as wrangler.toml declares them. What it gives is
 * plain data, so that the package can carry it. Node only; imported by cli.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import type { EdgeWorker } from "./local.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `built` is told what the script is made of. Throws what esbuild and wrangler throw. */
export async function bundleEdge(built?: (metafile: Metafile) => void): Promise<EdgeWorker> {
  const [script, options] = await Promise.all([bundle(built), readConfiguration()]);
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

async function readConfiguration(): Promise<EdgeWorker["options"]> {
  // It would warn that mTLS bindings have no local twin: the launcher makes that twin.
  process.env.WRANGLER_LOG ??= "error";
  process.env.WRANGLER_SEND_METRICS ??= "false";
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(
    join(ROOT, "wrangler.toml"),
    undefined,
    // The folder of the repository and that of the assets are this machine's.
    { overrides: { assets: { directory: "." } } },
  );
  const { rootPath: _, ...options } = workerOptions;
  return JSON.parse(JSON.stringify(options)) as EdgeWorker["options"];
}
