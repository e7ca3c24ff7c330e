/** Many files at once on the page, in Chromium with all real parts: one row for the short ones, what is cancelled of them, and what is said. */

import type { Page } from "playwright";
import { expect, it } from "vitest";
import { openEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { drop, listed, ready, waiting } from "./waiting.ts";

const running = useSystemAndBrowser();
const { system } = running;
const LARGE = 250_000;
const SOON = { timeout: 60_000 };

const short = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ name: `note ${at}.txt`, text: `note ${at}` }));
const large = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ name: `film ${at}.bin`, bytes: LARGE }));
const rows = (page: Page) => page.getByRole("list", { name: "In progress" }).getByRole("listitem");
const row = (page: Page, words: string | RegExp) => rows(page).filter({ hasText: words });
/** What the row says that stands for the short ones. */
const counted = (page: Page) =>
  expect.poll(
    () =>
      rows(page)
        .filter({ hasText: /\d sealed/ })
        .locator("[data-name], [data-meta]")
        .allTextContents(),
    SOON,
  );
const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent);

/** Nothing is stored until the answer is called; the first `refused` short documents that come after that are answered no. */
async function hold(page: Page, refused = 0): Promise<() => void> {
  const gate = Promise.withResolvers<void>();
  let open = false;
  let left = refused;
  await page.context().route(/\/accounts\/[^/]+\/documents(\/|$)/, async (route) => {
    if (!["PUT", "POST"].includes(route.request().method())) return route.continue();
    const whole = route.request().method() === "PUT" && /\/documents\/[^/]+$/.test(route.request().url());
    if (open && whole && left-- > 0) {
      const headers = { "access-control-allow-origin": system.appOrigin };
      return route.fulfill({ status: 403, headers, json: { code: "forbidden" } });
    }
    await gate.promise;
    // Cancelled meanwhile, perhaps.
    await route.continue().catch(() => {});
  });
  return () => {
    open = true;
    gate.resolve();
  };
}

/** All that is said from now on to who listens. */
async function listen(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const said: string[] = [];
    const status = document.querySelector("coffer-app [data-status]")!;
    new MutationObserver(() => said.push(status.textContent ?? "")).observe(status, { childList: true });
    Object.assign(globalThis, { said });
  });
  return () => page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
}

it("counts what was sealed and not what was cancelled or failed, and says in one sentence what became of all", async () => {
  const page = await openEnrolled(running, "Ada");
  const open = await hold(page, 1);
  const heard = await listen(page);
  await drop(page, ...short(12), ...large(1));
  await counted(page).toEqual(["12 documents", "0 of 12 sealed"]);
  await row(page, "note 0.txt").getByRole("button", { name: "Cancel note 0.txt" }).click();
  await counted(page).toEqual(["11 documents", "0 of 11 sealed"]);
  open();
  await expect
    .poll(heard, SOON)
    .toContain("10 documents are sealed. 1 document could not be sealed: its row says why.");
  await expect.poll(heard, SOON).toContain("film 0.bin is sealed.");
  expect((await heard()).filter((words) => words.startsWith("note"))).toEqual([]);
  expect(await row(page, /note/).getByRole("alert").count()).toBe(1);
  expect(await page.getByRole("button", { name: /^Open note/ }).count()).toBe(10);
});

it("cancels the large ones that wait and no short one, and the short ones by their row, which keeps no button that does nothing", async () => {
  const page = await openEnrolled(running, "Bob");
  const open = await hold(page);
  const heard = await listen(page);
  await drop(page, ...large(10), ...short(10));
  await counted(page).toEqual(["10 documents", "0 of 10 sealed"]);
  await row(page, "2 more are waiting").getByRole("button", { name: "Cancel these" }).press("Enter");
  await row(page, "are waiting").waitFor({ state: "detached" });
  await expect.poll(() => focused(page)).toBe("Documents");
  await drop(page, { name: "last.txt", text: "last" });
  await counted(page).toEqual(["11 documents", "0 of 11 sealed"]);
  await page.getByRole("button", { name: "Cancel 11 documents" }).press("Enter");
  await counted(page).toEqual(["4 documents", "0 of 4 sealed"]);
  expect(await row(page, "4 documents").getByRole("button").count()).toBe(0);
  expect(await focused(page)).toBe("Documents");
  open();
  await expect.poll(heard, SOON).toContain("4 documents are sealed.");
  for (const { name } of [...large(4), ...short(4)]) await listed(page, name).waitFor(SOON);
  expect(await page.getByRole("list", { name: "Documents" }).getByRole("listitem").count()).toBe(8);
});

it("begins a short file that comes after large ones that wait, and has no row for many while there is one", async () => {
  const page = await openEnrolled(running, "Cleo");
  const open = await hold(page);
  await drop(page, ...large(6), { name: "first.txt", text: "first" });
  // Its row comes when it has been under way for a while.
  await row(page, "first.txt").waitFor();
  expect(await row(page, "documents").count()).toBe(0);
  open();
  for (const name of ["first.txt", "film 5.bin"]) await listed(page, name).waitFor(SOON);
});

it("says nothing of what was under way to a page that nobody is signed in to", async () => {
  const page = await openEnrolled(running, "Dora");
  const open = await hold(page);
  const heard = await listen(page);
  await drop(page, ...short(20));
  await row(page, "20 documents").waitFor();
  await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  open();
  await expect.poll(() => page.locator("coffer-transfer").count()).toBe(0);
  expect((await heard()).filter((words) => words.includes("sealed"))).toEqual([]);
});

it("takes thirty thousand files in a moment, and cancels them in one", async () => {
  const page = await openEnrolled(running, "Eve");
  const open = await hold(page);
  const heard = await listen(page);
  const took = await page.evaluate(() => {
    const input = document.querySelector<HTMLInputElement>("[data-files]")!;
    const files = Array.from({ length: 30_000 }, (_, at) => new File(["x"], `${at}.txt`));
    // As an input has them: a list of so many takes a browser long to make.
    Object.defineProperty(input, "files", { value: files });
    const begun = performance.now();
    input.dispatchEvent(new Event("change"));
    return performance.now() - begun;
  });
  // Where each looks at all others it is a minute.
  expect(took).toBeLessThan(10_000);
  await row(page, "30,000 documents").getByRole("button", { name: "Cancel 30,000 documents" }).click();
  await counted(page).toEqual(["8 documents", "0 of 8 sealed"]);
  open();
  await expect.poll(heard, SOON).toContain("8 documents are sealed.");
});

it("M18 on the page: says once of many that they wait for the network", async () => {
  const page = await ready(running, "Fay");
  const heard = await listen(page);
  await page.context().setOffline(true);
  await drop(page, ...short(14));
  const words = /^(\d+) documents are sealed, and wait for the network\. (\d+) documents could not be sealed/;
  const said = async () => (await heard()).map((each) => words.exec(each)).find((found) => found !== null);
  await expect.poll(said, SOON).toBeTruthy();
  const [, kept, failed] = (await said())!;
  expect(Number(kept) + Number(failed)).toBe(14);
  await expect.poll(() => waiting(page).getByRole("listitem").count()).toBe(Number(kept));
  expect((await heard()).filter((each) => each.startsWith("note"))).toEqual([]);
});
