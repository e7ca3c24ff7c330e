// After `npm ci`, on any Node from 20 on: builds the package's entries once, so that a clone can import itself by the
// package's name. Does nothing where there is nothing to build with (`--omit=dev`), or when it has been done.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundledNode } from "./bundled-node.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const node = Number(process.versions.node.split(".")[0]) < 24 ? bundledNode() : process.execPath;

if (
  node &&
  existsSync(node) &&
  existsSync(`${root}node_modules/esbuild`) &&
  !existsSync(`${root}dist/package`)
) {
  const { status } = spawnSync(node, [`${root}cli/package/build.ts`], { cwd: root, stdio: "inherit" });
  // Nothing in the clone needs it: an installation does not fail for this.
  if (status !== 0) console.error("The package's entries could not be built; `npm run package` says why.");
}
