/**
 * `npm run package`: builds the package and packs it, by its own manifest, into a tarball for `npm publish`. Arguments are those
 * of `npm pack`.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { npm } from "../npm.js";
import { publishedManifest } from "./manifest.ts";
import { NOTICES } from "./notices.ts";
import { buildParts } from "./parts.ts";
import { ROOT } from "./paths.ts";

await import("./build.ts");
await buildParts();
const folder = mkdtempSync(join(tmpdir(), "coffer-pack-"));
try {
  const own = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(publishedManifest(own), null, 2)}\n`);
  for (const path of [...own.files, ...Object.values<string>(own.bin), "README.md", "LICENSE"])
    cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  renameSync(join(folder, "dist/package", NOTICES), join(folder, NOTICES));
  const { command, args } = npm();
  const pack = ["pack", folder, ...process.argv.slice(2)];
  process.exitCode = spawnSync(command, [...args, ...pack], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
