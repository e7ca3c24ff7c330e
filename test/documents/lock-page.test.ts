/** Locking the page in Chromium, with all real parts: what is gone from it, who unlocks it and how, and that it locks by itself. */

import type { Page } from "playwright";
import { expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { authenticator, enrolByPasskey, openVaults, said, unlockButton } from "./authenticator.ts";
import { violationsAtAll } from "./axe.ts";
import { drop } from "./waiting.ts";

const { system, browsing } = useSystemAndBrowser();
const SOON = { timeout: 60_000 };
const lock = (page: Page) => page.getByRole("button", { name: "Lock", exact: true });
const unlock = (page: Page) => page.getByRole("button", { name: "Unlock", exact: true });
const shows = (page: Page) => page.getByRole("heading", { name: "Locked" }).isVisible();
const listed = (page: Page, name: string) => page.getByRole("button", { name: `Open ${name}`, exact: true });
/** The vault's documents that run beside the page. */
const vaults = (page: Page) =>
  page.frames().filter((frame) => frame.url().startsWith(system.vaultOrigin)).length;

/** As soon as it locks, before the page has come that shows it: then there is no page to ask for a moment. */
const locked = (page: Page) =>
  page.evaluate(() => localStorage.getItem("coffer-locked") !== null).catch(() => true);

/** By the page's own clock alone, until it is loaded again. */
const later = (page: Page, minutes: number) =>
  page.evaluate((ahead) => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + ahead;
  }, minutes * 60_000);

it("has no name, no document and no key in the page while it is locked, after a reload either, until somebody unlocks it", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  await sealFile(page, "plan.txt", "the plan of last year");
  await page.getByRole("button", { name: "Open plan.txt" }).click();
  await page.getByRole("dialog").locator("pre").waitFor();
  await page.keyboard.press("Escape");
  await lock(page).press("Enter");
  for (const _ of ["locked", "loaded again"]) {
    await expect.poll(() => shows(page), SOON).toBe(true);
    const whole = await page.content();
    expect(whole).not.toContain("plan.txt");
    expect(whole).not.toContain("the plan of last year");
    expect(vaults(page)).toBe(0);
    expect(await page.getByRole("navigation", { name: "Your account" }).isVisible()).toBe(false);
    expect(await page.getByLabel("Files to seal").isDisabled()).toBe(true);
    await page.reload();
  }
  await expect.poll(() => shows(page), SOON).toBe(true);
  // What is dropped is not taken.
  await drop(page, { name: "dropped.txt", text: "not sealed" });
  expect(await page.locator("coffer-transfer").count()).toBe(0);
  expect(await violationsAtAll(page, "locked")).toEqual([]);
  await page.setViewportSize({ width: 360, height: 740 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  // It has the focus.
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Unlock");
  await page.keyboard.press("Enter");
  await untilEnrolled(page);
  await listed(page, "plan.txt").waitFor(SOON);
  expect(await showFile(page, "plan.txt")).toBe("the plan of last year");
  await page.context().close();
}, 120_000);

it("locks and unlocks every tab of the browser", async () => {
  const page = await openEnrolled({ system, browsing }, "Bea");
  await sealFile(page, "note.txt", "a note");
  const other = await page.context().newPage();
  await other.goto(`${system.appOrigin}/`);
  await listed(other, "note.txt").waitFor(SOON);
  await lock(page).click();
  for (const each of [page, other]) await expect.poll(() => shows(each), SOON).toBe(true);
  expect(await other.content()).not.toContain("note.txt");
  await unlock(other).click();
  for (const each of [page, other]) await listed(each, "note.txt").waitFor(SOON);
  await page.context().close();
}, 120_000);

it("asks for the passkey that the vault's keys are under", async () => {
  const page = await openEnrolled({ system, browsing }, "Cem");
  await authenticator(page);
  await sealFile(page, "deed.txt", "the deed");
  await enrolByPasskey(page);
  await lock(page).click();
  await unlock(page).click();
  await unlockButton(page).waitFor(SOON);
  expect(await page.content()).not.toContain("deed.txt");
  await unlockButton(page).click();
  await listed(page, "deed.txt").waitFor(SOON);
  expect(await showFile(page, "deed.txt")).toBe("the deed");
  await page.context().close();
}, 120_000);

it("locks by itself after the time that was chosen, which this browser keeps, and not while something goes on", async () => {
  const page = await openEnrolled({ system, browsing }, "Dora");
  const choose = async (words: string) => {
    const panel = await openVaults(page);
    const choice = panel.getByLabel("By itself");
    const before = await choice.evaluate((select) => (select as HTMLSelectElement).value);
    await choice.selectOption(words);
    const answer = await said(panel);
    await page.keyboard.press("Escape");
    return { before, answer };
  };
  expect(await choose("after 5 minutes without use")).toEqual({
    before: "0",
    answer: "It locks after 5 minutes without use.",
  });
  await page.reload();
  await untilEnrolled(page);
  const gate = Promise.withResolvers<void>();
  await page.context().route(/\/accounts\/[^/]+\/documents\/[^/]+$/, async (route) => {
    if (route.request().method() === "PUT") await gate.promise;
    await route.continue().catch(() => {});
  });
  await drop(page, { name: "slow.txt", text: "takes its time" });
  await page.locator("coffer-transfer").waitFor();
  await later(page, 6);
  await page.mouse.move(100, 100);
  expect(await locked(page)).toBe(false);
  expect(await shows(page)).toBe(false);
  gate.resolve();
  await listed(page, "slow.txt").waitFor(SOON);
  await later(page, 4);
  await page.mouse.move(120, 120);
  expect(await locked(page)).toBe(false);
  await later(page, 6);
  // Who comes back to it sees nothing.
  await page.mouse.move(140, 140);
  await expect.poll(() => shows(page), SOON).toBe(true);
  await unlock(page).click();
  await listed(page, "slow.txt").waitFor(SOON);
  expect((await choose("never")).before).toBe("5");
  await later(page, 600);
  await page.mouse.move(160, 160);
  await listed(page, "slow.txt").waitFor(SOON);
  await page.context().close();
}, 180_000);

it("is locked for who comes back to a browser that was closed for longer, and in a tab that was put aside or is only coming", async () => {
  const page = await openEnrolled({ system, browsing }, "Fay");
  await sealFile(page, "will.txt", "a will");
  const panel = await openVaults(page);
  await panel.getByLabel("By itself").selectOption("after 5 minutes without use");
  await said(panel);
  await page.keyboard.press("Escape");
  const closedFor = (minutes: number) =>
    page.evaluate((ago) => localStorage.setItem("coffer-used", String(Date.now() - ago)), minutes * 60_000);
  await closedFor(4);
  await page.reload();
  await listed(page, "will.txt").waitFor(SOON);
  await closedFor(6);
  await page.reload();
  await expect.poll(() => shows(page), SOON).toBe(true);
  expect(await page.content()).not.toContain("will.txt");
  await unlock(page).click();
  await listed(page, "will.txt").waitFor(SOON);

  // As it is after the browser kept the page aside, where no word reaches it.
  await page.evaluate(() => {
    localStorage.setItem("coffer-locked", "yes");
    dispatchEvent(new Event("pageshow"));
  });
  await expect.poll(() => shows(page), SOON).toBe(true);
  await unlock(page).click();
  await listed(page, "will.txt").waitFor(SOON);

  const other = await page.context().newPage();
  const gate = Promise.withResolvers<void>();
  const held: string[] = [];
  await other.route(
    () => true,
    async (route) => {
      if (route.request().resourceType() === "fetch") {
        held.push(route.request().url());
        await gate.promise;
      }
      await route.continue().catch(() => {});
    },
  );
  await other.goto(`${system.appOrigin}/`);
  await expect.poll(() => held.length, SOON).toBeGreaterThan(0);
  await lock(page).click();
  await expect.poll(() => shows(page), SOON).toBe(true);
  gate.resolve();
  await expect.poll(() => shows(other), SOON).toBe(true);
  expect(await other.content()).not.toContain("will.txt");
  await page.context().close();
}, 180_000);

it("asks before it cuts off what is under way, and before a sign-out from there loses what waits", async () => {
  const page = await openEnrolled({ system, browsing }, "Emil");
  const gate = Promise.withResolvers<void>();
  await page.context().route(/\/accounts\/[^/]+\/documents\/[^/]+$/, async (route) => {
    if (route.request().method() === "PUT") await gate.promise;
    await route.continue().catch(() => {});
  });
  await drop(page, { name: "slow.txt", text: "takes its time" });
  await page.locator("coffer-transfer").waitFor();
  await lock(page).click();
  const question = page.getByRole("alertdialog", { name: "Lock, and cut off what is under way?" });
  await question.getByRole("button", { name: "Not now" }).click();
  expect(await shows(page)).toBe(false);
  await lock(page).click();
  await question.getByRole("button", { name: "Lock", exact: true }).click();
  await expect.poll(() => shows(page), SOON).toBe(true);
  gate.resolve();
  await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  const leaving = page.getByRole("alertdialog", { name: "Sign out?" });
  await leaving.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  // Nothing is hidden from who signs in.
  expect(await shows(page)).toBe(false);
  await page.context().close();
}, 120_000);
