// Finds a Chromium for the end-to-end tests: CHROMIUM_PATH, the system's, or the one that Playwright downloaded.
import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";

const SYSTEM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {string | undefined} the path of an executable, or undefined
 */
export function findChromium(environment = process.env) {
  const candidates = [environment.CHROMIUM_PATH, ...SYSTEM, downloaded()];
  return candidates.find((path) => path !== undefined && executable(path));
}

/** @returns {string | undefined} */
function downloaded() {
  try {
    return createRequire(import.meta.url)("playwright").chromium.executablePath();
  } catch {
    return undefined;
  }
}

/** @param {string} path */
function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
