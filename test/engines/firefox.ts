/** Firefox by WebDriver BiDi, which it speaks itself. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPrograms } from "#cli/program.js";
import { missing } from "../support/missing.ts";
import { connectBidi } from "./bidi.ts";
import type { Driver, Engine } from "./driver.ts";

/** No talk with the outside, no first-run pages. */
const PREFERENCES: Record<string, string | number | boolean> = {
  "app.normandy.enabled": false,
  "app.update.enabled": false,
  "browser.aboutwelcome.enabled": false,
  "browser.download.start_downloads_in_tmp_dir": true,
  "browser.safebrowsing.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.page": 0,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.enabled": false,
};

const program = () => [...findPrograms("firefox-esr"), ...findPrograms("firefox")][0];

export const firefox: Engine = {
  name: "Firefox",
  missing: () => missing("firefox-esr", program()),
  open,
};

type Evaluated =
  | { type: "success"; result: { type: string; value?: string } }
  | { type: "exception"; exceptionDetails: { text: string } };

async function open(): Promise<Driver> {
  const profile = mkdtempSync(join(tmpdir(), "coffer-firefox-"));
  writeFileSync(
    join(profile, "user.js"),
    Object.entries(PREFERENCES)
      .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
      .join(""),
  );
  const browser = spawn(program()!, ["--headless", "--remote-debugging-port=0", "--profile", profile], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" },
  });
  const ended = once(browser, "exit");
  const bidi = await connectBidi(`${await endpoint(browser.stderr, ended)}/session`);
  await bidi.send("session.new", { capabilities: {} });
  const events = ["log.entryAdded", "browsingContext.navigationFailed"];
  await bidi.send("session.subscribe", { events });
  // The tab that it starts with never has the focus, without which the vault's pages take no answer.
  const { context } = await bidi.send<{ context: string }>("browsingContext.create", { type: "tab" });

  const said: string[] = [];
  bidi.onEvent(({ method, params }) => {
    if (method === "log.entryAdded" && params.level === "error") said.push(String(params.text));
  });
  const evaluate = async (body: string): Promise<string | undefined> => {
    const evaluated = await bidi.send<Evaluated>("script.evaluate", {
      expression: `(async () => { ${body} })().then((value) => JSON.stringify(value))`,
      target: { context },
      awaitPromise: true,
    });
    if (evaluated.type === "exception") throw new Error(evaluated.exceptionDetails.text);
    return evaluated.result.value;
  };
  return {
    async goto(url) {
      said.length = 0;
      const go = () => bidi.send("browsingContext.navigate", { context, url, wait: "complete" });
      // A page that goes elsewhere by itself at that moment ends the navigation: then it is asked for again, as a person would.
      await go().catch((error: Error) => {
        if (!error.message.includes("NS_BINDING_ABORTED")) throw error;
        return go();
      });
    },
    run: async <T>(body: string) => JSON.parse((await evaluate(body)) ?? "null") as T,
    async press(selector) {
      const found = await bidi.send<{ nodes: { sharedId: string }[] }>("browsingContext.locateNodes", {
        context,
        locator: { type: "css", value: selector },
        maxNodeCount: 1,
      });
      await evaluate(
        `document.querySelector(${JSON.stringify(selector)}).scrollIntoView({ block: "center" })`,
      );
      const origin = { type: "element", element: { sharedId: found.nodes[0]!.sharedId } };
      const actions = [
        { type: "pointerMove", x: 0, y: 0, origin },
        { type: "pointerDown", button: 0 },
        { type: "pointerUp", button: 0 },
      ];
      await bidi.send("input.performActions", {
        context,
        actions: [{ type: "pointer", id: "mouse", actions }],
      });
    },
    complaints: async () => [...said],
    async close() {
      bidi.close();
      browser.kill();
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Firefox tells its endpoint on standard error. */
async function endpoint(stderr: NodeJS.ReadableStream, ended: Promise<unknown>): Promise<string> {
  let text = "";
  const told = new Promise<string>((resolve) => {
    stderr.on("data", (chunk: Buffer) => {
      text += chunk;
      const [, url] = /WebDriver BiDi listening on (ws:\S+)/.exec(text) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  const gone = ended.then(() => {
    throw new Error(`Firefox ended before it listened: ${text}`);
  });
  return Promise.race([told, gone]);
}
