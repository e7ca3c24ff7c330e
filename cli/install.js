// Runs before `npm start` and `npm test`, on any Node from 20 on: installs what the lock file names when it is
// not there yet, and with --chromium makes sure that the end-to-end tests have a browser.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { npm } from "./npm.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = `${root}node_modules/.coffer-lock`;
const lock = createHash("sha256")
  .update(readFileSync(`${root}package-lock.json`))
  .digest("hex");
const installed = existsSync(stamp) ? readFileSync(stamp, "utf8") : "";

if (installed !== lock) {
  console.log("Installing packages as locked (once) …");
  const { command, args } = npm();
  // No package needs its install script, and our own is run below: there may be no shell on PATH to run them with.
  const options = ["ci", "--ignore-scripts", "--loglevel=error"];
  const { status } = spawnSync(command, [...args, ...options], { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    console.error("`npm ci` failed: see the message above, mend it and run the command again.");
    process.exit(1);
  }
  await import("./prepare.js");
  writeFileSync(stamp, lock);
}

if (process.argv.includes("--chromium")) {
  const { installChromium } = await import("./chromium-install.js");
  if (!installChromium()) {
    console.error(
      "No Chromium found, and none could be installed. Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH, and run again.",
    );
    process.exit(1);
  }
}
