/** `npm run screenshots [folder]`: pictures of every view of the page, for eyes. */

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";

const folder = resolve(process.argv[2] ?? "screenshots");
mkdirSync(folder, { recursive: true });
const views = ["views", "flow", "pdf", "touch", "deleted"].map((name) => `test/documents/${name}.test.ts`);
const { status } = spawnSync("npx", ["vitest", "run", "--project", "system", ...views], {
  env: { ...process.env, COFFER_SCREENSHOTS: folder },
  stdio: "inherit",
});
console.log(`The pictures are in ${folder}`);
process.exitCode = status ?? 1;
