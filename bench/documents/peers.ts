/** The libraries that documents are compared with, which are installed in bench/peers when they are measured, and in no other case. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { progress } from "../row.ts";

const FOLDER = fileURLToPath(new URL("../peers/", import.meta.url));

/** Installs them where they are not; says so where that fails, and what to do. */
export function peersInstalled(): boolean {
  if (existsSync(`${FOLDER}node_modules/.package-lock.json`)) return true;
  progress("installing the libraries that are compared, in bench/peers");
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: FOLDER,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  if (npm.status === 0) return true;
  progress("the peers are left out: they could not be installed (npm ci --ignore-scripts in bench/peers)");
  return false;
}
