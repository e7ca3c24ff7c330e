/** The main job in the three browser engines, as a person does it, and no page of either origin that complains. */

import { createHash, randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRows, useSystem } from "../system/index.ts";
import {
  chooseFile,
  chromium,
  type Driver,
  firefox,
  pressWhenVisible,
  until,
  visible,
  webkit,
} from "./index.ts";

const NOTE = { name: "note.txt", type: "text/plain", bytes: Buffer.from("Sealed here.\n".repeat(500)) };
// More than one frame, and not a whole number of them.
const PHOTO = { name: "photo.bin", type: "application/octet-stream", bytes: randomBytes(1_500_001) };

const system = useSystem();

describe.each([chromium, firefox, webkit])("in $name", (engine) => {
  describe.skipIf(engine.missing())("installed", () => {
    let driver: Driver;
    beforeAll(async () => {
      driver = await engine.open();
    });
    afterAll(() => driver?.close());

    const button = (label: string) => `button[aria-label="${label}"]`;
    const person = `Ada of ${engine.name}`;
    const signInsThatLive = () => {
      const { id } = readRows(system.edgeDir, "principal").find(({ name }) => name === person)!;
      return readRows(system.edgeDir, "families").filter(
        ({ user, revoked }) => user === id && revoked === null,
      ).length;
    };
    const isSignedIn = async () => {
      await driver.goto(`${system.appOrigin}/`);
      await until(driver, `${visible("[data-sign-in]")} || ${visible("[data-sign-out]")}`);
      return driver.run<boolean>(`return ${visible("[data-sign-out]")}`);
    };
    const signIn = async () => {
      await driver.goto(`${system.appOrigin}/`);
      await pressWhenVisible(driver, "[data-sign-in]");
      await until(driver, visible("#name"));
      expect(await driver.run("return location.origin")).toBe(system.running.provider?.issuer);
      await driver.run(`document.querySelector("#name").value = ${JSON.stringify(person)}`);
      await pressWhenVisible(driver, "form button");
      // The vault holds its buttons back until a person can have read what is asked.
      await pressWhenVisible(driver, "form[data-held] button:enabled");
      await until(driver, visible("[data-sign-out]"));
      expect(await driver.run("return location.origin")).toBe(system.appOrigin);
    };
    const quiet = async (what: string) => expect(await driver.complaints(), what).toEqual([]);
    const authorization = () =>
      `${system.vaultOrigin}/authorize?${new URLSearchParams({
        ...{ response_type: "code", client_id: system.appOrigin, redirect_uri: `${system.appOrigin}/` },
        ...{ state: "s", code_challenge: "c".repeat(43), code_challenge_method: "S256" },
        dpop_jkt: "j".repeat(43),
      })}`;

    it("the pages of both origins complain of nothing", async () => {
      for (const url of [
        `${system.appOrigin}/`,
        `${system.vaultOrigin}/`,
        authorization(),
        `${system.appOrigin}/.well-known/oauth-protected-resource`,
        `${system.vaultOrigin}/.well-known/oauth-authorization-server`,
        `${system.vaultOrigin}/configuration.json`,
      ]) {
        await driver.goto(url);
        // The icon is asked for after the page.
        await driver.run("await new Promise((resolve) => setTimeout(resolve, 500))");
        await quiet(url);
      }
    });

    it("signs in on the vault's own page and enrols a microservice", async () => {
      await signIn();
      await until(driver, `document.querySelector('[data-link="vault"][data-phase="ready"]')`);
      await quiet("signed in");
    });

    it("seals two files, lists them, and shows the text of one", async () => {
      for (const file of [NOTE, PHOTO]) {
        await chooseFile(driver, "[data-files]", file);
        await until(driver, visible(button(`Save ${file.name}`)));
      }
      await pressWhenVisible(driver, button("Open note.txt"));
      await until(driver, visible("dialog pre"));
      expect(await driver.run(`return document.querySelector("dialog pre").textContent`)).toBe(
        String(NOTE.bytes),
      );
      await driver.press("dialog[open] [data-close]");
      await until(driver, `!document.querySelector("dialog pre")`);
    });

    it("saves a document byte for byte", async () => {
      // The way of the engines that cannot ask where to save; what the link is given is what the person gets.
      await driver.run(`
        delete globalThis.showSaveFilePicker;
        const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => {
          globalThis.savedOfTest = blob;
          return make.call(URL, blob);
        };`);
      await driver.press(button("Save photo.bin"));
      await until(driver, "globalThis.savedOfTest !== undefined");
      const digest = await driver.run<string>(`
        const bytes = await new Response(globalThis.savedOfTest).arrayBuffer();
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");`);
      expect(digest).toBe(createHash("sha256").update(PHOTO.bytes).digest("hex"));
      await quiet("sealed, shown and saved");
    });

    it("has all of it after a reload, and shows it again", async () => {
      await driver.goto(`${system.appOrigin}/`);
      await until(driver, visible(button("Save photo.bin")));
      await pressWhenVisible(driver, button("Open note.txt"));
      await until(driver, visible("dialog pre"));
      expect(await driver.run(`return document.querySelector("dialog pre").textContent`)).toBe(
        String(NOTE.bytes),
      );
      await driver.press("dialog[open] [data-close]");
      await quiet("reloaded");
    });

    it("gives a document another name, deletes it, and takes that back", async () => {
      await pressWhenVisible(driver, `input[aria-label="Select note.txt"]`);
      await pressWhenVisible(driver, "[data-chosen-rename]");
      await until(driver, visible("coffer-rename dialog[open] [data-new-name]"));
      await driver.run(`document.querySelector("[data-new-name]").value = "letter.txt"`);
      await driver.press("coffer-rename [type=submit]");
      await pressWhenVisible(driver, button("Delete letter.txt"));
      // Held back until a person can have read the question.
      await pressWhenVisible(driver, "coffer-confirm dialog[open] [data-yes]:enabled");
      const said = (words: string) =>
        `document.querySelector("[data-status]").textContent === ${JSON.stringify(words)}`;
      await until(driver, said("letter.txt is deleted."));
      expect(
        await driver.run(`return !!document.querySelector(${JSON.stringify(button("Open letter.txt"))})`),
      ).toBe(false);
      await pressWhenVisible(driver, "[data-undo-act]");
      await until(driver, said("letter.txt is restored."));
      await pressWhenVisible(driver, button("Open letter.txt"));
      await until(driver, visible("dialog pre"));
      expect(await driver.run(`return document.querySelector("dialog pre").textContent`)).toBe(
        String(NOTE.bytes),
      );
      await driver.press("dialog[open] [data-close]");
      await quiet("renamed, deleted and restored");
    });

    it("is known at the vault while it is signed in, and signs out for good", async () => {
      // A test of its own: it may be the only one that is asked for.
      if (!(await isSignedIn())) await signIn();
      expect(signInsThatLive()).toBe(1);
      await driver.goto(authorization());
      expect(await driver.run("return document.body.innerText")).toContain(`Continue as ${person}`);
      await quiet("asked to continue");
      await driver.goto(`${system.appOrigin}/`);
      await pressWhenVisible(driver, "[data-sign-out]");
      await until(driver, visible("[data-sign-in]"));
      await quiet("signed out");
      await driver.goto(`${system.appOrigin}/`);
      await until(driver, visible("[data-sign-in]"));
      for (let looks = 0; looks < 100 && signInsThatLive() > 0; looks++) await delay(100);
      expect(signInsThatLive(), "the server has ended it").toBe(0);
    });
  });
});
