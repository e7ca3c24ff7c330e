/** The page on a phone: what one does there every day, with a finger and nothing that needs a mouse over it. */

import { readFile } from "node:fs/promises";
import type { Locator, Page } from "playwright";
import { expect, it } from "vitest";
import { untilEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { shootViews } from "./screenshots.ts";

const { system, browsing } = useSystemAndBrowser();

/** A tap where somebody would tap: on what is in sight, of its own, and not under something else. */
async function tap(target: Locator): Promise<void> {
  await target.scrollIntoViewIfNeeded();
  await target.tap();
}

async function signedIn(page: Page, name: string): Promise<void> {
  await page.goto(`${system.appOrigin}/`);
  await tap(page.getByRole("button", { name: "Sign in" }));
  await page.getByLabel("Your name").fill(name);
  await tap(page.getByRole("button", { name: "Sign in" }));
  await tap(page.getByRole("button", { name: `Continue as ${name}` }));
  await untilEnrolled(page);
}

it("signs in, seals, finds, opens, saves and deletes by taps alone, at the width of a phone", async () => {
  const context = await browsing.browser.newContext({
    viewport: { width: 360, height: 740 },
    deviceScaleFactor: 2,
    ...{ hasTouch: true, isMobile: true, acceptDownloads: true },
  });
  const page = await context.newPage();
  // A finger is never over something without touching it.
  await page.addInitScript(() => Object.assign(globalThis, { showSaveFilePicker: undefined }));
  await signedIn(page, "Ada");
  expect(await page.evaluate(() => matchMedia("(hover: none) and (pointer: coarse)").matches)).toBe(true);
  await shootViews(page, "phone-empty");
  const names = ["rent.txt", "tax.txt", ...Array.from({ length: 10 }, (_, n) => `letter ${n}.txt`)];
  const chooser = page.waitForEvent("filechooser");
  await tap(page.locator("[data-choose]:visible").first());
  const files = names.map((name) => ({ name, mimeType: "text/plain", buffer: Buffer.from(`of ${name}`) }));
  await (await chooser).setFiles(files);
  for (const name of names) await page.getByRole("button", { name: `Open ${name}` }).waitFor();
  await page.getByLabel("Find by name").fill("tax");
  await page.getByRole("button", { name: "Open rent.txt" }).waitFor({ state: "detached" });
  await tap(page.getByRole("button", { name: "Open tax.txt" }));
  const dialog = page.getByRole("dialog");
  expect(await dialog.locator("pre").textContent()).toBe("of tax.txt");
  await shootViews(page, "phone-document");
  await tap(dialog.getByRole("button", { name: "Close" }));
  const download = page.waitForEvent("download");
  await tap(page.getByRole("button", { name: "Save tax.txt" }));
  expect((await readFile(await (await download).path())).toString()).toBe("of tax.txt");
  await tap(page.getByRole("button", { name: "Delete tax.txt" }));
  await tap(page.getByRole("alertdialog").getByRole("button", { name: "Delete" }));
  await page.getByRole("button", { name: "Open tax.txt" }).waitFor({ state: "detached" });
  await page.getByLabel("Find by name").fill("");
  await page.getByRole("button", { name: "Open rent.txt" }).waitFor();
  await shootViews(page, "phone-list");
  // The panels' line is pushed aside where it is too long.
  for (const [button, title] of [
    ["Key ladder", "Key ladder"],
    ["Flow", "What happened"],
    ["Keys", "Keys of your account"],
  ]) {
    await tap(page.getByRole("button", { name: button ?? "", exact: true }));
    const panel = page.getByRole("dialog", { name: title ?? "" });
    await panel.waitFor();
    await tap(panel.getByRole("button", { name: "Close" }));
  }
  await tap(page.getByRole("button", { name: "Sign out" }));
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await context.close();
});
