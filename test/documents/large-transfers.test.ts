/** Several large files at once on the page, in Chromium with all real parts: how fast each goes and all of them, and for how long still. */

import type { Page } from "playwright";
import { expect, it } from "vitest";
import { openEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { violationsAtAll } from "./axe.ts";
import { drop, listed } from "./waiting.ts";

const running = useSystemAndBrowser();
const MIB = 2 ** 20;
const SOON = { timeout: 60_000 };
/** A part takes so long, milliseconds: long enough to see how fast it goes. */
const SLOW = 800;

const films = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ name: `film ${at}.bin`, bytes: 20 * MIB }));
const row = (page: Page, words: string | RegExp) =>
  page.getByRole("list", { name: "In progress" }).getByRole("listitem").filter({ hasText: words });

/** Parts go up when the answer lets them. */
async function hold(page: Page, until: () => Promise<unknown>): Promise<void> {
  await page.context().route(/\/parts\/\d+$/, async (route) => {
    await until();
    // Cancelled meanwhile, perhaps.
    await route.continue().catch(() => {});
  });
}

/** What rows have said from now on, by their names. */
async function listen(page: Page): Promise<(name: string) => Promise<string[]>> {
  await page.evaluate(() => {
    const said: Record<string, string[]> = {};
    const look = () => {
      for (const each of document.querySelectorAll("coffer-transfer")) {
        const name = each.querySelector("[data-name]")?.textContent ?? "";
        const words = each.querySelector("[data-meta]")?.textContent ?? "";
        said[name] ??= [];
        if (said[name].at(-1) !== words) said[name].push(words);
      }
    };
    const list = document.querySelector("[data-transfers]")!;
    new MutationObserver(look).observe(list, { childList: true, subtree: true, characterData: true });
    Object.assign(globalThis, { said });
  });
  return (name) =>
    page.evaluate(
      (name) => (globalThis as unknown as { said: Record<string, string[]> }).said[name] ?? [],
      name,
    );
}

it("says of each large file how fast it goes and for how long still, and of all of them together", async () => {
  const page = await openEnrolled(running, "Ada");
  await hold(page, () => new Promise((resolve) => setTimeout(resolve, SLOW)));
  const heard = await listen(page);
  await drop(page, ...films(3));
  for (const { name } of films(3)) await listed(page, name).waitFor(SOON);
  for (const { name } of films(3))
    expect(await heard(name)).toContainEqual(
      expect.stringMatching(/^Sealing .+ of 21 MB · [\d.]+ [kM]B\/s · (\d+ s left|almost done)$/),
    );
  const all = await heard("3 transfers");
  expect(all).toContainEqual(
    expect.stringMatching(/ of 62\.9 MB · [\d.]+ [kM]B\/s · (\d+ s left|almost done)$/),
  );
  // What has ended stays in the sum, which never goes back.
  expect(all.filter((words) => !words.includes(" of 62.9 MB"))).toEqual([]);
  const done = all.map((words) => Number.parseFloat(words) * (words.includes("kB of") ? 0.001 : 1));
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  // Nothing more of it is there.
  await expect.poll(() => page.locator("coffer-transfer").count()).toBe(0);
}, 180_000);

it("has what was cancelled count no more, stands first, and is good by axe-core and on a phone", async () => {
  const page = await openEnrolled(running, "Bea");
  const gate = Promise.withResolvers<void>();
  await hold(page, () => gate.promise);
  await drop(page, ...films(3));
  const rows = page.getByRole("list", { name: "In progress" }).getByRole("listitem");
  await expect.poll(() => rows.first().textContent(), SOON).toContain("3 transfers");
  expect(await row(page, "3 transfers").getByRole("progressbar").getAttribute("aria-label")).toBe(
    "Progress of 3 transfers",
  );
  expect(await row(page, "3 transfers").getByRole("button").count()).toBe(0);
  expect(await violationsAtAll(page, "transfers")).toEqual([]);
  await page.setViewportSize({ width: 360, height: 740 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await page.getByRole("button", { name: "Cancel film 0.bin" }).press("Enter");
  await expect.poll(() => rows.first().textContent()).toMatch(/2 transfers.* of 41\.9 MB/s);
  await page.getByRole("button", { name: "Cancel film 1.bin" }).press("Enter");
  gate.resolve();
  await listed(page, "film 2.bin").waitFor(SOON);
  await expect.poll(() => page.locator("coffer-transfer").count()).toBe(0);
}, 180_000);
