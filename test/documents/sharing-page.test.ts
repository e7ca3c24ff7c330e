/** Sharing on the page: two people in Chromium, each in a profile of their own, with all real parts. */

import { readFileSync } from "node:fs";
import type { Locator, Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { openEnrolled, sealFile, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const said = (panel: Locator) => panel.getByRole("status").textContent();
const rows = (panel: Locator, list: string) => panel.getByRole("list", { name: list }).locator("li");

async function openSharing(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Sharing", exact: true }).click();
  return page.getByRole("dialog", { name: "Sharing" });
}

/** The steps of the newest operation with this name that has one of them, as they are read out. */
async function stepsOf(page: Page, operation: string): Promise<string[]> {
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Flow", exact: true }).click();
  const flow = page.getByRole("dialog", { name: "What happened" });
  const choice = flow.getByRole("combobox", { name: "Operation" });
  const option = choice.locator("option", { hasText: operation }).first();
  await expect.poll(() => option.count()).toBe(1);
  await choice.selectOption({ label: (await option.textContent()) ?? "" });
  const steps = await flow.getByRole("list", { name: "Steps" }).getByRole("listitem").allTextContents();
  await page.keyboard.press("Escape");
  return steps;
}

let ada: Page;
let bea: Page;
let beasAccount: string;
beforeAll(async () => {
  ada = await openEnrolled({ system, browsing }, "Ada");
  bea = await openEnrolled({ system, browsing }, "Bea");
  await sealFile(ada, "plan.txt", "the plan of last year");
  await sealFile(ada, "secret.txt", "for nobody");
  const panel = await openSharing(bea);
  await panel.locator("[data-own]").filter({ hasText: /./ }).waitFor();
  beasAccount = (await panel.locator("[data-own]").textContent()) ?? "";
  await bea.keyboard.press("Escape");
});

it("Sharing on the page gives a document to another account, which saves it, and takes it back", async () => {
  await ada.locator("coffer-document").filter({ hasText: "plan.txt" }).locator("[data-pick]").check();
  await ada.getByRole("button", { name: "Share…" }).click();
  const panel = ada.getByRole("dialog", { name: "Sharing" });
  expect(await panel.getByRole("heading", { name: "Share a document" }).isVisible()).toBe(true);
  const field = panel.getByLabel("Id of the account that may open it");
  await field.fill("not-an-account");
  await panel.getByRole("button", { name: "Share", exact: true }).click();
  await expect.poll(() => said(panel)).toContain("There is no such account");
  await field.fill(beasAccount);
  await panel.getByRole("button", { name: "Share", exact: true }).click();
  await expect.poll(() => said(panel)).toBe("Bea may open it now.");
  await expect.poll(() => rows(panel, "Shared with others").count()).toBe(1);
  expect(await rows(panel, "Shared with others").textContent()).toMatch(/plan\.txt.*with Bea, until/);

  const theirs = await openSharing(bea);
  await expect.poll(() => rows(theirs, "Shared with you").allTextContents()).toHaveLength(1);
  expect(await rows(theirs, "Shared with you").textContent()).toMatch(/plan\.txt.*shared by Ada, until/);
  // Headless, the browser asks for no place: it downloads.
  await bea.evaluate(() => Object.assign(globalThis, { showSaveFilePicker: undefined }));
  const [download] = await Promise.all([
    bea.waitForEvent("download"),
    theirs.getByRole("button", { name: "Save plan.txt" }).click(),
  ]);
  expect(readFileSync(await download.path(), "utf8")).toBe("the plan of last year");
  await expect.poll(() => said(theirs)).toBe("plan.txt is saved.");

  await panel.getByRole("button", { name: "Withdraw plan.txt from Bea" }).click();
  const question = ada.getByRole("alertdialog", { name: "Withdraw this document?" });
  await question.getByRole("button", { name: "Withdraw", exact: true }).click();
  await expect.poll(() => said(panel)).toBe("It is not shared any more.");
  expect(await rows(panel, "Shared with others").count()).toBe(0);

  // What Bea's panel still shows is refused.
  await theirs.getByRole("button", { name: "Save plan.txt" }).click();
  await expect.poll(() => said(theirs)).toBe("It is not shared any more.");
  await bea.keyboard.press("Escape");
  const after = await openSharing(bea);
  await after.getByText("Nobody has shared a document with you.").waitFor();

  // What that has asked of whom: the key within the HSM, the end of it, and that it was refused afterwards.
  await after.getByRole("button", { name: "Close" }).click();
  const shared = await stepsOf(ada, "Sharing a document");
  const at = (steps: string[], what: RegExp) => steps.filter((step) => what.test(step));
  expect(at(shared, /^Page to Gateway.*POST \/kms\/accounts\/.*\/shares/)).toHaveLength(1);
  expect(at(shared, /^KMS to HSM/).join(" ")).toMatch(/Get.*Sign/);
  expect(at(shared, /^Page to Gateway.*PUT \/accounts\/.*\/shares\//)).toHaveLength(1);
  const withdrawn = await stepsOf(ada, "Withdrawing a document");
  expect(at(withdrawn, /DELETE \/kms\/accounts\/.*\/shares\//)).toHaveLength(1);
  expect(at(withdrawn, /DELETE \/accounts\/.*\/shares\//)).toHaveLength(1);
  expect(at(withdrawn, /Failed/)).toEqual([]);
  // The newest is the one that was refused, by the list that has it no more.
  const opened = await stepsOf(bea, "Opening a shared document");
  expect(at(opened, /GET \/accounts\/.*\/received/).length).toBeGreaterThan(0);
});
