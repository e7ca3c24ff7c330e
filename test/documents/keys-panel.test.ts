/** Keys and the end of an account on the page, in Chromium with all real parts. */

import type { Page } from "playwright";
import { expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const FILES = ["one.txt", "two.txt", "three.txt"];

const idsOf = (page: Page) =>
  page
    .locator("coffer-document")
    .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.document));
const panel = (page: Page) => page.getByRole("dialog", { name: "Keys of your account" });

async function openPanel(page: Page) {
  await page.getByRole("button", { name: "Keys", exact: true }).click();
  const dialog = panel(page);
  await dialog.waitFor();
  return dialog;
}

/** Re-encryptions that a page of this browser has begun and not ended. */
const begunIn = (page: Page) =>
  page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("coffer-re-encrypt ")).length);

it("W10 W11 the keys' panel rotates the account key and re-encrypts all, which goes on after a reload", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  for (const name of FILES) await sealFile(page, name, `${name} is kept`);
  const before = await idsOf(page);
  const dialog = await openPanel(page);
  await dialog.getByRole("button", { name: "Rotate account key" }).click();
  await expect.poll(() => dialog.getByRole("status").textContent()).toBe("The account has another key.");
  if (process.env.COFFER_SCREENSHOTS)
    await page.screenshot({ path: `${process.env.COFFER_SCREENSHOTS}/keys.png` });
  await dialog.getByRole("button", { name: "Re-encrypt all" }).click();
  // In the middle, or before it has begun: what was begun goes on by itself.
  await expect.poll(() => begunIn(page)).toBe(1);
  await page.reload();
  await expect
    .poll(async () => (await idsOf(page)).filter((id) => before.includes(id)).length, { timeout: 60_000 })
    .toBe(0);
  await expect.poll(async () => (await idsOf(page)).length).toBe(FILES.length);
  await expect.poll(() => begunIn(page)).toBe(0);
  expect(await showFile(page, "one.txt")).toBe("one.txt is kept");
  // Each row says under which account key its document is now.
  await expect
    .poll(() => page.locator("coffer-document [data-meta]").allTextContents())
    .toEqual(FILES.map(() => expect.stringMatching(/ · account key 2$/)));
});

it("W10 a re-encryption that was begun goes on once the page before has let go of it", async () => {
  const page = await openEnrolled({ system, browsing }, "Dan");
  await sealFile(page, "one.txt", "one");
  const [before] = await idsOf(page);
  // Another page of the same browser holds the lock, as the one that a reload leaves does for a moment.
  const other = await page.context().newPage();
  await other.goto(`${system.appOrigin}/`);
  const account = await page
    .getByRole("button", { name: "Members", exact: true })
    .click()
    .then(() => page.locator("coffer-members [data-accounts] option").first().getAttribute("value"));
  const name = `coffer-re-encrypt ${account}`;
  await other.evaluate(async (name) => {
    await new Promise<void>((held) => {
      const until = new Promise<void>((release) => Object.assign(globalThis, { release }));
      void navigator.locks.request(name, () => {
        held();
        return until;
      });
    });
  }, name);
  await page.evaluate((name) => localStorage.setItem(name, new Date().toISOString()), name);
  await page.reload();
  await untilEnrolled(page);
  const waits = async () =>
    (await page.evaluate(() => navigator.locks.query())).pending?.some((lock) => lock.name === name);
  await expect.poll(waits).toBe(true);
  await expect.poll(() => idsOf(page)).toEqual([before]);
  await other.evaluate(() => (globalThis as unknown as { release(): void }).release());
  await expect.poll(() => idsOf(page), { timeout: 30_000 }).not.toContain(before);
  await expect.poll(() => begunIn(page)).toBe(0);
  expect(await showFile(page, "one.txt")).toBe("one");
});

it("W10 a document's row seals that one again under a new key", async () => {
  const page = await openEnrolled({ system, browsing }, "Bob");
  await sealFile(page, "one.txt", "one");
  const [before] = await idsOf(page);
  await page.getByRole("button", { name: "Re-encrypt one.txt" }).click();
  await expect.poll(() => idsOf(page), { timeout: 30_000 }).not.toContain(before);
  expect(await showFile(page, "one.txt")).toBe("one");
});

it("W11 the keys' panel schedules the deletion of an account by the keyboard, shows it after a reload, and cancels it", async () => {
  const page = await openEnrolled({ system, browsing }, "Cid");
  await sealFile(page, "one.txt", "one");
  await page.getByRole("button", { name: "Keys", exact: true }).focus();
  await page.keyboard.press("Enter");
  const dialog = panel(page);
  await dialog.waitFor();
  await dialog.getByLabel("In").selectOption("7");
  await dialog.getByRole("button", { name: "Schedule deletion" }).focus();
  await page.keyboard.press("Enter");
  await dialog.getByRole("heading", { name: "This account will be deleted" }).waitFor();
  if (process.env.COFFER_SCREENSHOTS)
    await page.screenshot({ path: `${process.env.COFFER_SCREENSHOTS}/pending.png` });
  await page.keyboard.press("Escape");
  await expect.poll(() => idsOf(page)).toEqual([]);
  await page.reload();
  const again = await openPanel(page);
  await again.getByRole("heading", { name: "This account will be deleted" }).waitFor();
  expect(await again.getByRole("button", { name: "Schedule deletion" }).isVisible()).toBe(false);
  await again.getByRole("button", { name: "Keep this account" }).click();
  await expect.poll(() => again.getByRole("status").textContent()).toBe("The account is kept.");
  await page.keyboard.press("Escape");
  await expect.poll(async () => (await idsOf(page)).length, { timeout: 30_000 }).toBe(1);
  expect(await showFile(page, "one.txt")).toBe("one");
});

it("W11 a reading of the keys' panel that a change has overtaken neither shows nor closes anything", async () => {
  const page = await openEnrolled({ system, browsing }, "Eve");
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const answered: number[] = [];
  await page.route("**/accounts/*/data-keys", async (route) => {
    await held;
    const response = await route.fetch();
    await route.fulfill({ response });
    answered.push(response.status());
  });
  const dialog = await openPanel(page);
  await dialog.getByRole("button", { name: "Schedule deletion" }).click();
  const heading = dialog.getByRole("heading", { name: "This account will be deleted" });
  await heading.waitFor();
  release();
  await expect.poll(() => answered).toEqual([403]);
  // Two frames and the kit's own work later.
  await page.evaluate(() => new Promise((drawn) => setTimeout(drawn, 300)));
  expect(await heading.isVisible()).toBe(true);
  expect(await page.getByRole("alert").count()).toBe(0);
});
