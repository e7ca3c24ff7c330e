/** Starts Debian's Chromium, or whichever there is. */

import { type Browser, chromium } from "playwright";
import { findChromium } from "#cli/chromium.js";
import { freePorts } from "../support/ports.ts";
import { type Cdp, connectCdp } from "./cdp.ts";

export type ChromiumOptions = {
  /** Third-party storage is partitioned as in a user's browser; playwright switches that off by default. */
  partitionStorage?: boolean;
};

// facts: what a container without a display, a GPU and a user namespace needs, and no talk with the outside.
export const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where none is set, Chromium saves a file whose name is not ASCII as `download`. */
export const LOCALE = { LANG: "C.UTF-8", LC_ALL: "C.UTF-8" };

/** What playwright disables and the tests want disabled, without ThirdPartyStoragePartitioning. */
const STILL_DISABLED =
  "HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,MediaRouter,OptimizationHints,PreconnectToSearch";

/** The browser, and a second connection for the DevTools protocol that sees what playwright keeps to itself. */
export async function launchChromium(
  options: ChromiumOptions = {},
): Promise<{ browser: Browser; cdp: Cdp; close(): Promise<void> }> {
  const [port] = await freePorts(1);
  const browser = await chromium.launch({
    executablePath: executablePath(),
    env: { ...process.env, ...LOCALE },
    args: [
      ...ARGUMENTS,
      `--remote-debugging-port=${port}`,
      // The last --disable-features counts: this one takes the place of playwright's.
      ...(options.partitionStorage ? [`--disable-features=${STILL_DISABLED}`] : []),
    ],
  });
  const version = (await (await fetch(`http://127.0.0.1:${port}/json/version`)).json()) as {
    webSocketDebuggerUrl: string;
  };
  const cdp = await connectCdp(version.webSocketDebuggerUrl);
  return {
    browser,
    cdp,
    async close() {
      cdp.close();
      await browser.close();
    },
  };
}

/** CHROMIUM_PATH, else the system's, else playwright's own. */
export function executablePath(): string {
  const found = findChromium();
  if (found === undefined) throw new Error("No Chromium found: install one or set CHROMIUM_PATH");
  return found;
}
