// `npm run browsers`: asks the engines that are installed, and writes what they have into docs/browsers.md.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const args = [vitest, "run", "--project", "system", "test/engines/matrix.test.ts"];
const env = { ...process.env, COFFER_BROWSERS: "write" };
process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit", env }).status ?? 1;
