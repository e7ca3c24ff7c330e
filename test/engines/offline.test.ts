/** The page in the three browser engines while the edge's processes are stopped (M18): loaded again by its address, it seals, and opens what waits. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { send } from "../support/http.ts";
import { useSystem } from "../system/index.ts";
import {
  chooseFile,
  chromium,
  type Driver,
  type Engine,
  firefox,
  pressWhenVisible,
  until,
  visible,
  webkit,
} from "./index.ts";

const system = useSystem();
const NOTE = { name: "note.txt", type: "text/plain", bytes: Buffer.from("Sealed without a network.\n") };
const button = (label: string) => `button[aria-label="${label}"]`;
/**
 * WebKitGTK under automation is a private window, which has no HTTP cache for what a script fetches: the page is there, and the vault, which
 * fetches its code, is not.
 */
const VAULT_OF: Record<Engine["name"], boolean> = { Chromium: true, Firefox: true, WebKit: false };
const READY = `document.querySelector('[data-link="vault"][data-phase="ready"]') !== null`;

describe.each([chromium, firefox, webkit])("in $name", (engine) => {
  describe.skipIf(engine.missing())("installed", () => {
    let driver: Driver;
    beforeAll(async () => {
      driver = await engine.open();
    });
    afterAll(() => driver?.close());

    /** Whether it comes true; what the page says instead is in the failure. */
    const comes = (expression: string, what: string) =>
      expect(
        until(driver, expression).then(Boolean, (error: Error) => error.message),
        what,
      ).resolves.toBe(true);
    const count = (text: string) => `await (async () => { ${text} })()`;

    it("M18 is loaded again with the edge stopped, seals, opens what it has sealed, and sends it when the edge is back", async () => {
      await driver.goto(`${system.appOrigin}/`);
      await pressWhenVisible(driver, "[data-sign-in]");
      await until(driver, visible("#name"));
      await driver.run(`document.querySelector("#name").value = "Ada of ${engine.name}"`);
      await pressWhenVisible(driver, "form button");
      await pressWhenVisible(driver, "form[data-held] button:enabled");
      await until(driver, READY);
      const named = (await send(`${system.appOrigin}/service-worker.js`)).text.match(/digest:"/g) ?? [];
      expect(named.length).toBeGreaterThan(3);
      await comes(
        count(`return (await (await caches.open("coffer-page")).keys()).length === ${named.length}`),
        "the page's files are kept",
      );
      await until(
        driver,
        count(`const opened = (request) => new Promise((resolve, reject) => {
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
          });
          const database = await opened(indexedDB.open("coffer-uploads"));
          const keys = await opened(database.transaction("keys").objectStore("keys").count());
          database.close();
          return keys >= 8`),
      );
      await system.restart(async () => {
        await expect(send(`${system.appOrigin}/`)).rejects.toThrow();
        // As a person does, and by its address.
        await driver.run("globalThis.pageBefore = true; setTimeout(() => location.reload())");
        await comes(`!globalThis.pageBefore && ${visible("[data-sign-out]")}`, "reloaded");
        if (!VAULT_OF[engine.name])
          return void (await comes(visible('[data-code="vault-unreachable"]'), "says that it has no vault"));
        await comes(READY, "with its vault");
        await chooseFile(driver, "[data-files]", NOTE);
        await comes(visible(`.queued ${button("Open note.txt")}`), "it waits");
        await driver.goto(`${system.appOrigin}/`);
        await comes(`${visible("[data-sign-out]")} && ${READY}`, "gone to again");
        await pressWhenVisible(driver, `.queued ${button("Open note.txt")}`);
        await comes(visible("dialog pre"), "it opens");
        expect(await driver.run(`return document.querySelector("dialog pre").textContent`)).toBe(
          String(NOTE.bytes),
        );
        await driver.press("dialog[open] [data-close]");
      });
      await driver.goto(`${system.appOrigin}/`);
      await comes(READY, "the vault is back");
      if (!VAULT_OF[engine.name]) return;
      await comes(
        `${visible(button("Save note.txt"))} && !document.querySelector('.queued:not([hidden])')`,
        "it is stored",
      );
    }, 240_000);
  });
});
