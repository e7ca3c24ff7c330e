import { build } from "esbuild";

/** One script of `entry` without anything of Node's: the bundler knows no `node:` on this platform. */
export async function neutralBundle(entry: string, format: "esm" | "iife"): Promise<string> {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format,
    platform: "neutral",
    target: "es2023",
    logLevel: "silent",
  });
  return result.outputFiles[0]!.text;
}
