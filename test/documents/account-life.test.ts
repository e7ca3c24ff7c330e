/** Accounts and versions of their data keys on the page, at level `master`, in Chromium with all real parts. */

import type { Locator, Page } from "playwright";
import { expect, it } from "vitest";
import { openEnrolled, readRows, sealFile, showFile, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser({ level: "master" });

const said = (panel: Locator) => expect.poll(() => panel.getByRole("status").textContent());
const metaOf = (page: Page, name: string) =>
  page
    .locator("coffer-document", { has: page.getByRole("button", { name: `Open ${name}` }) })
    .locator("[data-meta]")
    .textContent();

async function openKeys(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Keys", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Keys of your account" });
  await panel.waitFor();
  return panel;
}
const versions = (panel: Locator) =>
  panel.getByRole("list", { name: "Versions of the data key" }).getByRole("listitem").allTextContents();
/** Whether an instance has vouched for each version that the KMS has. */
const made = () =>
  readRows(system.edgeDir, "account_data_keys")
    .map(({ version, made }) => `${version}${made === null ? "" : " by the instance"}`)
    .sort();

it("W11 an account is made on the page, with its keys; what is sealed into it is in that one", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  await sealFile(page, "one.txt", "one");
  expect(await page.getByLabel("Account to seal into").isVisible()).toBe(false);
  const panel = await openKeys(page);
  await panel.getByLabel("Its name").fill("Cases of 2026");
  await panel.getByRole("button", { name: "Create account" }).click();
  await said(panel).toBe("The account Cases of 2026 is made, with keys of its own.");
  expect(await panel.locator("[data-accounts] option:checked").textContent()).toBe("Cases of 2026");
  await expect.poll(() => versions(panel)).toEqual([expect.stringMatching(/^Version 1, the newest/)]);
  await page.keyboard.press("Escape");
  await page.getByLabel("Account to seal into").selectOption({ label: "Cases of 2026" });
  await sealFile(page, "case.txt", "the case");
  expect(await metaOf(page, "case.txt")).toContain("Cases of 2026");
  expect(await showFile(page, "case.txt")).toBe("the case");
  await page.keyboard.press("Escape");
  await page.reload();
  await expect.poll(() => metaOf(page, "case.txt")).toContain("Cases of 2026");
  await expect.poll(() => metaOf(page, "one.txt")).toContain("Ada");
  expect(await showFile(page, "case.txt")).toBe("the case");
});

it("W10 the key store and the vault make new versions on the page; an old one is deleted by a press, and kept after all", async () => {
  const page = await openEnrolled({ system, browsing }, "Bea");
  await sealFile(page, "one.txt", "one");
  const before = made().length;
  const panel = await openKeys(page);
  await panel.getByRole("button", { name: "New version" }).click();
  await said(panel).toBe("There is a new version.");
  await panel.getByLabel("Made by").selectOption({ label: "this vault" });
  await panel.getByRole("button", { name: "New version" }).click();
  await expect
    .poll(() => versions(panel))
    .toEqual([
      expect.stringMatching(/^Version 3, the newest/),
      ...[expect.stringMatching(/^Version 2 /), expect.stringMatching(/^Version 1 /)],
    ]);
  expect(made()).toHaveLength(before + 2);
  expect(made().filter((version) => version.endsWith("by the instance"))).toEqual(["3 by the instance"]);

  await panel.getByRole("button", { name: "Delete version 1" }).click();
  await said(panel).toBe("Version 1 will be deleted.");
  await expect.poll(async () => (await versions(panel))[2]).toContain("deleted on");
  await panel.getByRole("button", { name: "Keep version 1" }).click();
  await said(panel).toBe("Version 1 is kept.");
  await expect.poll(async () => (await versions(panel))[2]).toContain("made ");
  await page.keyboard.press("Escape");
  expect(await showFile(page, "one.txt")).toBe("one");
  await page.keyboard.press("Escape");
  await sealFile(page, "two.txt", "two");
  // The instance has chosen the version; the list says it by the document's header.
  await page.reload();
  await expect.poll(() => metaOf(page, "two.txt")).toContain("key 3");
  expect(await showFile(page, "two.txt")).toBe("two");
});

it("W10 a version that was deleted on the page opens nothing until it is kept", async () => {
  const page = await openEnrolled({ system, browsing }, "Cem");
  await sealFile(page, "one.txt", "one");
  const panel = await openKeys(page);
  await panel.getByRole("button", { name: "New version" }).click();
  await panel.getByRole("button", { name: "Delete version 1" }).click();
  await said(panel).toBe("Version 1 will be deleted.");
  // Another vault of the same person, which has fetched nothing before.
  const other = await openEnrolled({ system, browsing }, "Cem");
  const named = (name: string) => other.getByRole("button", { name: `Open ${name}`, exact: true }).count();
  await expect.poll(() => named("Cannot be opened")).toBe(1);
  await panel.getByRole("button", { name: "Keep version 1" }).click();
  await said(panel).toBe("Version 1 is kept.");
  await other.reload();
  await expect.poll(() => named("one.txt"), { timeout: 30_000 }).toBe(1);
  expect(await showFile(other, "one.txt")).toBe("one");
});
