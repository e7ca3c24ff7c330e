import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { COMMAND, ENTRIES } from "./entries.ts";
import { OUT, ROOT } from "./paths.ts";

/** In the package the command finds its parts built. */
const builtParts: Plugin = {
  name: "built-parts",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\/sources\.ts$/ }, ({ resolveDir }) =>
      resolveDir === join(ROOT, "cli/parts") ? { path: join(resolveDir, "built.ts") } : undefined,
    ),
};

/** One build for all entries, so that they share their classes: an error of one is an instance of the other's. */
export async function buildScripts(): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: { ...ENTRIES, ...COMMAND },
    outdir: OUT,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    target: "es2024",
    packages: "external",
    external: ["node:*"],
    plugins: [builtParts],
    charset: "utf8",
    chunkNames: "shared-[hash]",
    logLevel: "warning",
  });
}
