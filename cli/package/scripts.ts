import { join } from "node:path";
import { build, type Metafile, type Plugin } from "esbuild";
import { COMMAND, EMBED, ENTRIES, TAG, TESTING } from "./entries.ts";
import { OUT, ROOT } from "./paths.ts";

/** In the package the command finds its parts built. */
const builtParts: Plugin = {
  name: "built-parts",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\/sources\.ts$/ }, ({ resolveDir }) =>
      resolveDir === join(ROOT, "cli/parts") ? { path: join(resolveDir, "built.ts") } : undefined,
    ),
};

/** The kit as an app imports it: one set of its classes, and the same files as without this. */
const onTheKit: Plugin = {
  name: "on-the-kit",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^#web\/browser\/index\.ts$/ }, () => ({ path: "./index.js", external: true })),
};

/** One build for all entries, so that they share their classes: an error of one is an instance of the other's. */
export async function buildScripts(): Promise<void> {
  await buildEntries({ ...ENTRIES, ...COMMAND });
  await buildEntries(EMBED, [onTheKit]);
  // Apart: with these, what apps share is split into more files, which are larger together, and none of its classes is met in tests.
  await buildEntries(TESTING);
}

async function buildEntries(entryPoints: Record<string, string>, more: Plugin[] = []): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints,
    outdir: OUT,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    target: "es2024",
    packages: "external",
    external: ["node:*"],
    plugins: [builtParts, ...more],
    charset: "utf8",
    chunkNames: "shared-[hash]",
    logLevel: "warning",
  });
}

/** The tag's file, with what it imports. `built` is told what it is made of. */
export async function buildTag(built: (metafile: Metafile) => void): Promise<void> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: TAG,
    outdir: OUT,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2023",
    legalComments: "none",
    charset: "utf8",
    metafile: true,
    logLevel: "warning",
  });
  built(metafile);
}
