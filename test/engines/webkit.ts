/** WebKitGTK's MiniBrowser by WebDriver (https://www.w3.org/TR/webdriver2/) on a display of its own: Safari's engine. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findPrograms } from "#cli/program.js";
import { missing, missingProgram } from "../support/missing.ts";
import { freePorts } from "../support/ports.ts";
import type { Driver, Engine } from "./driver.ts";

const driverProgram = () => findPrograms("WebKitWebDriver")[0];
/** Not on PATH: in the library's folder, which differs by machine. */
const miniBrowser = () => globSync("/usr/lib/{*/,}webkit*gtk-*/MiniBrowser").sort().at(-1);

export const webkit: Engine = {
  name: "WebKit",
  missing: () =>
    missing("webkit2gtk-driver", driverProgram() && miniBrowser()) || missingProgram("Xvfb", "xvfb"),
  open,
};

/** No sandbox for root in a container, no graphics card. */
const ENVIRONMENT = {
  WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
  WEBKIT_DISABLE_DMABUF_RENDERER: "1",
  LIBGL_ALWAYS_SOFTWARE: "1",
};

/** WebDriver tells nothing of the console: what the document itself hears, from when it has loaded. */
const LISTEN = `
  globalThis.complaintsOfTest = [];
  const hear = (name, text) => addEventListener(name, (event) => complaintsOfTest.push(text(event)));
  hear("error", ({ message }) => message);
  hear("unhandledrejection", ({ reason }) => String(reason));
  hear("securitypolicyviolation", ({ violatedDirective, blockedURI }) => violatedDirective + " " + blockedURI);`;

async function open(): Promise<Driver> {
  const home = mkdtempSync(join(tmpdir(), "coffer-webkit-"));
  const started: ChildProcess[] = [];
  const [port] = await freePorts(1);
  const at = `http://127.0.0.1:${port}`;
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const init = body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const answer = await fetch(at + path, { method, ...init });
    const { value } = (await answer.json()) as { value: { error?: string; message?: string } };
    if (!answer.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  const end = async () => {
    for (const child of started.reverse()) {
      const ended = once(child, "exit");
      if (child.exitCode === null && child.kill()) await ended;
    }
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const display = await startDisplay(started);
    const env = { ...process.env, ...ENVIRONMENT, HOME: home, DISPLAY: display };
    started.push(spawn(driverProgram()!, [`--port=${port}`, "--host=127.0.0.1"], { stdio: "ignore", env }));
    await untilReady(() => ask("GET", "/status"));
    const browser = { binary: miniBrowser(), args: ["--automation"] };
    const wanted = { capabilities: { alwaysMatch: { "webkitgtk:browserOptions": browser } } };
    const { sessionId } = (await ask("POST", "/session", wanted)) as { sessionId: string };
    const session = `/session/${sessionId}`;
    const run = async <T>(body: string): Promise<T> => {
      const script = `const done = arguments[0];
        (async () => { ${body} })().then((value) => done({ value }), (error) => done({ error: String(error) }));`;
      const answer = await ask("POST", `${session}/execute/async`, { script, args: [] });
      const { value, error } = answer as { value: T; error?: string };
      if (error !== undefined) throw new Error(error);
      return value;
    };
    return {
      async goto(url) {
        await ask("POST", `${session}/url`, { url });
        await run(LISTEN);
      },
      run,
      async press(selector) {
        const found = await ask("POST", `${session}/element`, { using: "css selector", value: selector });
        const [element] = Object.values(found as Record<string, string>);
        await ask("POST", `${session}/element/${element}/click`, {});
      },
      complaints: async () => (await run<string[] | null>("return globalThis.complaintsOfTest")) ?? [],
      async close() {
        // This ends the browser too.
        await ask("DELETE", session).catch(() => {});
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** A display that no screen shows; the server chooses its number. */
async function startDisplay(started: ChildProcess[]): Promise<string> {
  const server = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  started.push(server);
  const [number] = (await once(server.stdio[3] as NodeJS.ReadableStream, "data")) as [Buffer];
  return `:${String(number).trim()}`;
}

async function untilReady(ask: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await ask();
      return;
    } catch (error) {
      if (tries === 300) throw error;
      await delay(100);
    }
  }
}
