/** Whom documents are shared with, in the list; and several shared at once. In Chromium with all real parts. */

import type { Locator, Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { openEnrolled, sealFile, useSystemAndBrowser } from "../system/index.ts";
import { violationsAtAll } from "./axe.ts";

const { system, browsing } = useSystemAndBrowser();
const SOON = { timeout: 60_000 };
const NAMES = ["lease.txt", "plan.txt", "rent.txt"];

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const sharing = (page: Page) => page.getByRole("dialog", { name: "Sharing" });
/** What rows say of whom each is shared with. */
const shares = (page: Page) =>
  page.getByRole("list", { name: "Documents" }).locator("[data-shared]:visible").allTextContents();
const status = (page: Page) => page.locator("coffer-app > [data-status]").textContent();

async function accountOf(page: Page): Promise<string> {
  await button(page, "Sharing").click();
  const own = sharing(page).locator("[data-own]").filter({ hasText: /./ });
  const id = await own.textContent();
  await page.keyboard.press("Escape");
  return id ?? "";
}

/** Selects these, and gives them to the account by keyboard. */
async function share(page: Page, names: readonly string[], account: string): Promise<Locator> {
  for (const name of names) await page.getByRole("checkbox", { name: `Select ${name}` }).check();
  await page.getByRole("button", { name: "Share…" }).press("Enter");
  const panel = sharing(page);
  await panel.getByLabel("Id of the account that may open it").fill(account);
  return panel;
}

let ada: Page;
let bea: Page;
let beas: string;
beforeAll(async () => {
  ada = await openEnrolled({ system, browsing }, "Ada");
  bea = await openEnrolled({ system, browsing }, "Bea");
  beas = await accountOf(bea);
  for (const name of NAMES) await sealFile(ada, name, `the contents of ${name}`);
}, 120_000);

it("shares several selected documents with an account, and says with whom in the list", async () => {
  expect(await shares(ada)).toEqual([]);
  const panel = await share(ada, NAMES, beas);
  await panel.getByRole("heading", { name: "Share several documents" }).waitFor();
  expect(await panel.locator("form [data-name]").textContent()).toBe("3 documents");
  await ada.keyboard.press("Enter");
  await expect.poll(() => status(ada), SOON).toBe("Bea may open 3 documents now.");
  expect(await panel.isVisible()).toBe(false);
  await expect.poll(() => shares(ada)).toEqual(Array.from({ length: 3 }, () => "shared with Bea"));
  expect(await ada.getByRole("region", { name: "Selected documents" }).isVisible()).toBe(false);
  await button(bea, "Sharing").click();
  const theirs = sharing(bea).getByRole("list", { name: "Shared with you" }).getByRole("listitem");
  await expect.poll(() => theirs.count()).toBe(3);
  await bea.keyboard.press("Escape");
  expect(await violationsAtAll(ada, "shared")).toEqual([]);
  await ada.setViewportSize({ width: 360, height: 740 });
  expect(await ada.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await ada.setViewportSize({ width: 1280, height: 720 });
});

it("asks once for an account after a reload, and shows the panel of what is pressed, whose changes the list has at once", async () => {
  const asked: string[] = [];
  ada.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.endsWith("/shares")) asked.push(`${request.method()} ${pathname.split("/")[1]}`);
  });
  // By itself too.
  if ((await shares(ada)).length === 0) {
    await share(ada, NAMES, beas);
    await ada.keyboard.press("Enter");
    await expect.poll(() => shares(ada), SOON).toHaveLength(3);
    asked.length = 0;
  }
  await ada.reload();
  await expect.poll(() => shares(ada), SOON).toHaveLength(3);
  expect(asked).toEqual(["GET kms"]);
  await button(ada, "shared with Bea: plan.txt").press("Enter");
  const panel = sharing(ada);
  await panel.getByRole("heading", { name: "Share a document" }).waitFor();
  expect(await panel.locator("form [data-name]").textContent()).toBe("plan.txt");
  await panel.getByRole("button", { name: "Withdraw plan.txt from Bea" }).click();
  await ada.getByRole("alertdialog").getByRole("button", { name: "Withdraw", exact: true }).click();
  await expect.poll(() => panel.getByRole("status").textContent()).toBe("It is not shared any more.");
  await ada.keyboard.press("Escape");
  await expect.poll(() => shares(ada)).toHaveLength(2);
  expect(await button(ada, "shared with Bea: plan.txt").isVisible()).toBe(false);
});

it("says in the count that whom documents are shared with could not be read, until it could", async () => {
  const count = () => ada.locator("[data-count]").textContent();
  const shares = /\/kms\/accounts\/[^/]+\/shares(\?|$)/;
  await ada.context().route(shares, (route) => route.fulfill({ status: 500, body: "" }));
  await ada.reload();
  await expect.poll(count, SOON).toMatch(/^3 documents · .+ · whom they are shared with could not be read$/);
  await ada.context().unroute(shares);
  await ada.reload();
  await expect.poll(count, SOON).toMatch(/^3 documents · [^·]+$/);
}, 120_000);

it("says of each document that could not be shared why, and once where all fail alike", async () => {
  // Another device deletes one, of which this list knows nothing: it hears of no change.
  await ada.context().setOffline(true);
  const other = await openEnrolled({ system, browsing }, "Ada");
  await button(other, "Delete rent.txt").click();
  await other.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(() => status(other)).toBe("rent.txt is deleted.");
  await other.context().close();
  const lists = /\/accounts\/[^/]+\/(documents(\?|$)|document-versions)/;
  await ada.context().route(lists, (route) => route.abort());
  await ada.context().setOffline(false);
  const panel = await share(ada, ["plan.txt", "rent.txt"], beas);
  await panel.getByRole("button", { name: "Share", exact: true }).click();
  const row = ada
    .getByRole("list", { name: "In progress" })
    .getByRole("listitem")
    .filter({ hasText: "2 documents" });
  await expect
    .poll(() => row.getByRole("alert").textContent(), SOON)
    .toBe("1 is left, for the reason below.");
  expect(
    await row.getByRole("list", { name: "What could not be done" }).getByRole("listitem").allTextContents(),
  ).toEqual(["rent.txt There is no such account, or the document is not there any more."]);
  await expect.poll(() => status(ada)).toBe("Bea may open 1 of 2 documents now.");
  expect(await violationsAtAll(ada, "not shared")).toEqual([]);
  await ada.getByRole("button", { name: "Dismiss 2 documents" }).click();
  await ada.context().unroute(lists);

  const again = await share(ada, ["plan.txt", "lease.txt"], "nobody");
  await again.getByRole("button", { name: "Share", exact: true }).click();
  await expect
    .poll(() => row.getByRole("alert").textContent(), SOON)
    .toBe("2 are left. There is no such account, or the document is not there any more.");
  expect(await row.getByRole("list", { name: "What could not be done" }).count()).toBe(0);
}, 120_000);
