/** Documents that wait for the network on the page (M18): in Chromium, with all real parts, as a person meets them. */

import type { BrowserContext } from "playwright";
import { expect, it } from "vitest";
import {
  openEnrolled,
  sealFile,
  showFile,
  signIn,
  untilEnrolled,
  useSystemAndBrowser,
} from "../system/index.ts";
import { shootViews } from "./screenshots.ts";
import { drop, kept, listed, ready, waiting, waits } from "./waiting.ts";

const running = useSystemAndBrowser();
const { system, browsing } = running;
const LETTER = "a letter that nobody else reads";

/** No network, but what a browser has in its cache, which Playwright sets aside where it intercepts. */
async function cut(context: BrowserContext): Promise<void> {
  await context.route("**", (route) => {
    const request = route.request();
    const file = /^\/(configuration\.json|[\w.-]+\.(js|css|svg|webmanifest))?$/;
    if (request.method() === "GET" && file.test(new URL(request.url()).pathname)) return route.continue();
    return route.abort("internetdisconnected");
  });
}

async function mend(context: BrowserContext): Promise<void> {
  await context.setOffline(true);
  await context.unroute("**");
  await context.setOffline(false);
}

it("M18 on the page: what is dropped without the network waits, opens, outlasts a reload, and is sent when it is back", async () => {
  const page = await ready(running, "Ada");
  const context = page.context();
  await context.setOffline(true);
  await drop(page, { name: "letter.txt", text: LETTER });
  await waits(page, "letter.txt").getByText("Waits for the network").waitFor();
  expect(await page.getByRole("region", { name: "Waiting for the network" }).textContent()).toMatch(
    /kept in this browser alone: 1 of 100, [\d.]+\skB of 268\sMB\. This browser (keeps|may delete) them/,
  );
  expect(await page.getByRole("list", { name: "In progress" }).count()).toBe(0);
  await shootViews(page, "waiting");
  // By keyboard.
  await waits(page, "letter.txt").getByRole("button", { name: "Open letter.txt" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText(LETTER).waitFor();
  await page.keyboard.press("Escape");

  await cut(context);
  await context.setOffline(false);
  await page.reload();
  await untilEnrolled(page);
  await waits(page, "letter.txt").waitFor();
  await drop(page, { name: "postcard.txt", text: "and a postcard" });
  await waits(page, "postcard.txt").waitFor();
  await waits(page, "letter.txt").getByRole("button", { name: "Open letter.txt" }).click();
  await page.getByRole("dialog").getByText(LETTER).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.evaluate(() => {
      delete (globalThis as { showSaveFilePicker?: unknown }).showSaveFilePicker;
      document.querySelector<HTMLElement>("coffer-viewer [data-save]")!.click();
    }),
  ]);
  expect(download.suggestedFilename()).toBe("letter.txt");

  // The browser goes on saying that there is no network, and the person knows better.
  await page.evaluate(() => Object.defineProperty(navigator, "onLine", { get: () => false }));
  for (const name of ["letter.txt", "postcard.txt"])
    await waits(page, name).getByText("Waits for the network").waitFor();
  await context.unroute("**");
  await waits(page, "letter.txt").getByRole("button", { name: "Try again: letter.txt" }).click();
  for (const name of ["letter.txt", "postcard.txt"]) await listed(page, name).waitFor();
  await expect.poll(() => waiting(page).count()).toBe(0);
  expect(await kept(page)).toMatchObject({ uploads: 0, contents: 0 });
  const other = await openEnrolled({ system, browsing }, "Ada");
  expect(await showFile(other, "letter.txt")).toBe(LETTER);
  expect(await other.getByRole("list", { name: "Documents" }).getByRole("listitem").count()).toBe(2);
});

it("M18 on the page: where the last answer is lost the document waits, and is stored once", async () => {
  const page = await ready(running, "Bob");
  const context = page.context();
  let lost = 0;
  await context.route(/\/documents\/[^/]+$/, async (route) => {
    if (route.request().method() === "GET") return route.continue();
    lost++;
    // Under way still when the way is mended, perhaps.
    await route.fetch().catch(() => {});
    await route.abort("connectionreset").catch(() => {});
  });
  await drop(page, { name: "lost.txt", text: LETTER });
  await waits(page, "lost.txt").waitFor({ timeout: 60_000 });
  expect(lost).toBeGreaterThan(1);
  expect(await page.getByRole("alert").count()).toBe(0);
  await context.unroute(/\/documents\/[^/]+$/);
  await context.setOffline(true);
  await context.setOffline(false);
  await listed(page, "lost.txt").waitFor();
  await expect.poll(() => waiting(page).count()).toBe(0);
  expect(await showFile(page, "lost.txt")).toBe(LETTER);
  await page.reload();
  await listed(page, "lost.txt").waitFor();
  expect(await page.getByRole("list", { name: "Documents" }).getByRole("listitem").count()).toBe(1);
});

it("M18 on the page: a tab that stays shows what another has put by, and sends it when that one is closed", async () => {
  const page = await ready(running, "Cleo");
  const context = page.context();
  const other = await context.newPage();
  await other.goto(`${system.appOrigin}/`);
  await untilEnrolled(other);
  await cut(context);
  await drop(page, { name: "left.txt", text: LETTER });
  for (const each of [page, other]) await waits(each, "left.txt").waitFor({ timeout: 60_000 });
  // What one gives up goes from the other, and nobody is told that it was sent.
  const says = other.locator("coffer-app [data-status]");
  await drop(page, { name: "over.txt", text: LETTER });
  await waits(other, "over.txt").waitFor({ timeout: 60_000 });
  await waits(page, "over.txt").getByRole("button", { name: "Cancel over.txt" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Give it up", exact: true }).click();
  await waits(other, "over.txt").waitFor({ state: "detached" });
  expect(await says.textContent()).not.toContain("is sent");
  await page.close();
  await mend(context);
  await listed(other, "left.txt").waitFor();
  await expect.poll(() => waiting(other).count()).toBe(0);
  await expect.poll(() => says.textContent()).toContain("left.txt is sent.");
  expect(await showFile(other, "left.txt")).toBe(LETTER);
});

it("M18 on the page: giving one up and signing out ask first, and say what is lost", async () => {
  const page = await ready(running, "Dora");
  const context = page.context();
  await context.setOffline(true);
  await drop(page, { name: "one.txt", text: LETTER }, { name: "two.txt", text: LETTER });
  await waits(page, "two.txt").waitFor();
  const asked = page.getByRole("alertdialog");
  const answer = (name: string) => asked.getByRole("button", { name, exact: true }).click();
  await waits(page, "one.txt").getByRole("button", { name: "Cancel one.txt" }).click();
  await asked.getByText("is kept in this browser alone. It goes from here, and is not sent.").waitFor();
  await answer("Keep it");
  expect(await waits(page, "one.txt").count()).toBe(1);
  await waits(page, "one.txt").getByRole("button", { name: "Cancel one.txt" }).click();
  await answer("Give it up");
  await waits(page, "one.txt").waitFor({ state: "detached" });
  // Who goes by keyboard is not thrown back to the start of the page.
  expect(await page.evaluate(() => document.activeElement?.closest(".queued") !== null)).toBe(true);

  const out = page.getByRole("button", { name: "Sign out", exact: true }).first();
  await out.click();
  const lost = "waits for the network and is kept in this browser alone. If you sign out, it is lost.";
  await expect.poll(() => asked.getByText(lost).isVisible()).toBe(true);
  await shootViews(page, "waiting-sign-out");
  await answer("Stay signed in");
  expect(await waits(page, "two.txt").count()).toBe(1);
  await out.click();
  await answer("Sign out");
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  expect(await kept(page)).toEqual({ uploads: 0, contents: 0, keys: 0 });
  await context.setOffline(false);
  await signIn(page, system, "Dora");
  await page.getByText("Nothing sealed yet").waitFor();
});

it("M18 on the page: without a key, or without room, it says what can be done, and the file can be tried again", async () => {
  const page = await ready(running, "Eve");
  const context = page.context();
  await sealFile(page, "before.txt", "stored");
  await context.setOffline(true);
  // A disk that is full, which nobody can have here: what the browser says then.
  await page.evaluate(() => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...given) {
      if (!(given[0] instanceof Blob)) return put.apply(this, given);
      throw new DOMException("full", "QuotaExceededError");
    };
    Object.assign(globalThis, { makeRoom: () => (IDBObjectStore.prototype.put = put) });
  });
  await drop(page, { name: "large.bin", bytes: 4_000_000, type: "application/octet-stream" });
  const failed = page.getByRole("list", { name: "In progress" }).getByRole("listitem");
  await failed.getByText("There is no room on this device to keep it until it is sent.").waitFor();
  await page.evaluate(() => void (globalThis as unknown as { makeRoom: () => void }).makeRoom());
  await failed.getByRole("button", { name: "Try again: large.bin" }).click();
  await waits(page, "large.bin").waitFor();

  // Keys that were put by are used up, or have ended with the instance.
  await page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open("coffer-uploads");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const transaction = database.transaction("keys", "readwrite");
    transaction.objectStore("keys").clear();
    await new Promise((resolve) => transaction.addEventListener("complete", resolve));
    database.close();
  });
  await cut(context);
  await context.setOffline(false);
  await page.reload();
  await untilEnrolled(page);
  await waits(page, "large.bin").waitFor();
  await drop(page, { name: "keyless.txt", text: LETTER });
  await failed
    .getByText("There is no key here to seal with while the server cannot be reached.")
    .waitFor({ timeout: 60_000 });
  await mend(context);
  await listed(page, "large.bin").waitFor();
  await failed.getByRole("button", { name: "Try again: keyless.txt" }).click();
  await listed(page, "keyless.txt").waitFor();
});
