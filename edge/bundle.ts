/**
 * The worker made from its sources: one script for workerd, and its bindings as wrangler.toml declares them. What it gives is
 * plain data, so that the package can carry it. Node only; imported by cli.
 */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { EdgeWorker } from "./local.ts";

/** Throws what esbuild and wrangler throw. */
export async function bundleEdge(): Promise<EdgeWorker> {
  const [script, options] = await Promise.all([bundle(), readConfiguration()]);
  return { script, options };
}

/** One file for workerd. `conditions` choose the Web-standard builds; Node built-ins fail the build. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("./index.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

async function readConfiguration(): Promise<EdgeWorker["options"]> {
  // It would warn that mTLS bindings have no local twin: the launcher makes that twin.
  process.env.WRANGLER_LOG ??= "error";
  process.env.WRANGLER_SEND_METRICS ??= "false";
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(
    fileURLToPath(new URL("../wrangler.toml", import.meta.url)),
    undefined,
    // The folder of the repository and that of the assets are this machine's.
    { overrides: { assets: { directory: "." } } },
  );
  const { rootPath: _, ...options } = workerOptions;
  return JSON.parse(JSON.stringify(options)) as EdgeWorker["options"];
}
