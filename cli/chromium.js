// Finds a Chromium for the end-to-end tests: CHROMIUM_PATH, the system's, the one that Playwright downloaded, or the one
// that ships inside an npm package.
import { createRequire } from "node:module";
import { packagedChromium } from "./chromium-package.js";
import { executable, findPrograms } from "./program.js";

/** Names on PATH, and where macOS keeps them. */
const SYSTEM = ["chromium", "chromium-browser", "google-chrome"];
const MACOS = [
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/**
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {string | undefined} the path of an executable, or undefined
 */
export function findChromium(environment = process.env) {
  const candidates = [
    environment.CHROMIUM_PATH,
    ...SYSTEM.flatMap((name) => findPrograms(name, environment)),
    ...(process.platform === "darwin" ? MACOS : []),
    downloaded(),
    packagedChromium(),
  ];
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
