/**
 * `npm run screenshots [folder]`: pictures of every view of the page, for eyes. With `--record` they are what the tests hold the page against from then on
 * (`test/documents/recorded`).
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";

const recording = process.argv.includes("--record");
const [named = "screenshots"] = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const folder = resolve(named);
mkdirSync(folder, { recursive: true });
const tests = readdirSync("test/documents", { encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => `test/documents/${name}`)
  .filter((file) => readFileSync(file, "utf8").includes("shootViews("));
if (recording) rmSync("test/documents/recorded", { recursive: true, force: true });
const { status } = spawnSync("npx", ["vitest", "run", "--project", "system", ...tests], {
  env: { ...process.env, COFFER_SCREENSHOTS: folder, ...(recording && { COFFER_RECORD: "1" }) },
  stdio: "inherit",
});
console.log(`The pictures are in ${folder}`);
process.exitCode = status ?? 1;
