/**
 * Chromium as people have it, for measurements: with a profile on the disk (a private one keeps Blobs and the origin's files
 * in memory) and nobody attached who keeps a copy of all traffic, as playwright does.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { chromium, type Page } from "playwright";
import { type Cdp, connectCdp } from "../chromium/cdp.ts";
import { ARGUMENTS, executablePath, LOCALE } from "../chromium/launch.ts";

export type Chromium = {
  /** The browser's process; all others descend from it. */
  pid: number;
  /** A folder for files of the test, removed with the profile. */
  folder: string;
  /** Lets playwright drive the one page for a while; it is detached again when this resolves. */
  drive<T>(work: (page: Page) => Promise<T>): Promise<T>;
  /** The page's own session, with no domain enabled. */
  attach(): Promise<PageSession>;
  close(): Promise<void>;
};

/** Runs expressions in the page, and no more. */
export type PageSession = {
  evaluate<T>(expression: string): Promise<T>;
  /** Gives files of the disk to the file input that a selector names. */
  choose(selector: string, paths: string[]): Promise<void>;
  /** From now on downloads go to the test's folder; `path` is that of the next one, when it is complete. */
  download(): Promise<{ path: Promise<string> }>;
  detach(): void;
};

/** Starts a browser with a new profile and one empty page; `more` are further arguments of its program. */
export async function openChromium(more: readonly string[] = []): Promise<Chromium> {
  const folder = mkdtempSync(join(tmpdir(), "coffer-chromium-"));
  const profile = join(folder, "profile");
  const browser = spawn(
    executablePath(),
    [
      "--headless",
      ...ARGUMENTS,
      "--password-store=basic",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      ...more,
      "about:blank",
    ],
    { stdio: "ignore", env: { ...process.env, ...LOCALE } },
  );
  const ended = once(browser, "exit");
  const port = await devToolsPort(profile);
  return {
    pid: browser.pid!,
    folder,
    async drive(work) {
      const attached = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
      try {
        return await work(attached.contexts()[0]!.pages()[0]!);
      } finally {
        await attached.close();
      }
    },
    attach: () => attach(port, folder),
    async close() {
      browser.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function devToolsPort(profile: string): Promise<number> {
  for (let wait = 0; wait < 300; wait++) {
    const text = await readFile(join(profile, "DevToolsActivePort"), "utf8").catch(() => "");
    if (text.includes("\n")) return Number(text.split("\n")[0]);
    await delay(100);
  }
  throw new Error("the browser did not start");
}

async function attach(port: number, folder: string): Promise<PageSession> {
  const version = (await (await fetch(`http://127.0.0.1:${port}/json/version`)).json()) as {
    webSocketDebuggerUrl: string;
  };
  const cdp: Cdp = await connectCdp(version.webSocketDebuggerUrl);
  const { targetInfos } = (await cdp.send("Target.getTargets")) as {
    targetInfos: { targetId: string; type: string }[];
  };
  const { targetId } = targetInfos.find(({ type }) => type === "page")!;
  const { sessionId } = (await cdp.send("Target.attachToTarget", { targetId, flatten: true })) as {
    sessionId: string;
  };
  const evaluate = async (expression: string, returnByValue: boolean) => {
    const { result, exceptionDetails } = await cdp.send(
      "Runtime.evaluate",
      { expression, awaitPromise: true, returnByValue },
      sessionId,
    );
    if (exceptionDetails) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
    return result as { value?: unknown; objectId?: string };
  };
  return {
    evaluate: async <T>(expression: string) => (await evaluate(expression, true)).value as T,
    async choose(selector, files) {
      const { objectId } = await evaluate(`document.querySelector(${JSON.stringify(selector)})`, false);
      await cdp.send("DOM.setFileInputFiles", { files, objectId }, sessionId);
    },
    async download() {
      const downloadPath = join(folder, "downloads");
      const path = new Promise<string>((resolve, reject) => {
        cdp.onEvent(({ method, params }) => {
          if (method !== "Browser.downloadProgress") return;
          if (params.state === "completed") resolve(join(downloadPath, String(params.guid)));
          if (params.state === "canceled") reject(new Error("the download was cancelled"));
        });
      });
      await cdp.send("Browser.setDownloadBehavior", {
        behavior: "allowAndName",
        downloadPath,
        eventsEnabled: true,
      });
      return { path };
    },
    detach: () => cdp.close(),
  };
}

/** How many browsers of the same program run besides the one with this process id. */
export function othersRunning(pid: number): number {
  const program = readlinkSync(`/proc/${pid}/exe`);
  let others = 0;
  for (const entry of readdirSync("/proc")) {
    try {
      if (!/^\d+$/.test(entry) || Number(entry) === pid || readlinkSync(`/proc/${entry}/exe`) !== program)
        continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8");
      if (!command.includes("--type=")) others++;
    } catch {
      // Gone since.
    }
  }
  return others;
}
