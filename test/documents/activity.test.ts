/** The audit log on the page, in Chromium with all real parts. */

import { readFileSync } from "node:fs";
import type { Locator, Page } from "playwright";
import { expect, it } from "vitest";
import { ACTIONS } from "#web/page/activity-words.ts";
import { productFiles } from "../rooms.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { problem } from "../support/http.ts";
import { root } from "../support/tree.ts";
import { openEnrolled, sealFile, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const SCREENSHOTS = process.env.COFFER_SCREENSHOTS;

const items = (panel: Locator) => panel.getByRole("list", { name: "Decisions" }).getByRole("listitem");

async function openActivity(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Activity", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Activity" });
  await panel.waitFor();
  return panel;
}

async function shoot(page: Page, name: string): Promise<void> {
  if (!SCREENSHOTS) return;
  for (const width of [360, 1280])
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}-${colorScheme}.png` });
    }
  await page.setViewportSize({ width: 1280, height: 720 });
}

it("M20 an owner sees on the page who did what to the account, what was refused and why, by pages and filtered", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  await sealFile(page, "plan.txt", "the plan");
  const ada = await EdgeClient.signedIn(system, "Ada");
  const stranger = await EdgeClient.signedIn(system, "Mallory");
  expect(problem(await stranger.rest("GET", ada.documents))).toBe("403 forbidden");
  for (let i = 0; i < 60; i++) await ada.rest("GET", `/accounts/${ada.account}/members`);

  // What was decided is told a moment later.
  let panel = await openActivity(page);
  await expect
    .poll(
      async () => {
        await page.keyboard.press("Escape");
        panel = await openActivity(page);
        await items(panel).first().waitFor();
        return (await items(panel).allTextContents()).filter((text) => text.includes("list of members"))
          .length;
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThan(40);
  expect(await items(panel).count()).toBeLessThanOrEqual(50);
  expect(await items(panel).first().textContent()).toMatch(
    /^You(read this activity|read the list of members)/,
  );
  const older = panel.getByRole("button", { name: "Older" });
  for (let pages = 0; pages < 10 && (await older.isVisible()); pages++) {
    const before = await items(panel).count();
    await older.click();
    await expect.poll(() => items(panel).count()).toBeGreaterThan(before);
  }
  expect(await panel.getByText("all there are").count()).toBe(1);
  await shoot(page, "activity");
  const all = await items(panel).allTextContents();
  expect(all.some((text) => text.startsWith("Youstored a document"))).toBe(true);
  await panel.getByRole("combobox", { name: "Show" }).selectOption({ label: "What was refused" });
  const refused = await items(panel).allTextContents();
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.every((text) => text.includes("Refused (forbidden): "))).toBe(true);
  expect(refused.some((text) => text.startsWith(stranger.tokens.user.id))).toBe(true);
  await panel.getByRole("combobox", { name: "Show" }).selectOption({ label: "Documents" });
  await expect
    .poll(async () => (await items(panel).allTextContents()).join())
    .not.toContain("iam:list-members");
  await panel.getByRole("combobox", { name: "About" }).selectOption({ label: "Your sign-ins and vaults" });
  await panel.getByRole("combobox", { name: "Show" }).selectOption({ label: "Vaults" });
  await expect.poll(async () => (await items(panel).allTextContents()).join()).toContain("enrolled a vault");
  await page.keyboard.press("Escape");
});

it("M12 who is no auditor is told so, and shown nothing", async () => {
  const page = await openEnrolled({ system, browsing }, "Bea");
  const panel = await openActivity(page);
  await items(panel).first().waitFor();
  await panel
    .getByRole("combobox", { name: "About" })
    .selectOption({ label: "The whole organization (auditors)" });
  await expect.poll(() => panel.getByRole("status").textContent()).toContain("Only owners of this account");
  expect(await items(panel).count()).toBe(0);
});

it("has words for nothing but what the edge decides", () => {
  const edge = productFiles()
    .filter((file) => file.startsWith("edge/"))
    .map((file) => readFileSync(`${root}${file}`, "utf8"))
    .join("\n");
  // These are put together where they are decided.
  const made = ["iam:give-role", "iam:take-role", "iam:give-group", "iam:take-group"];
  const unknown = Object.keys(ACTIONS).filter((action) => !edge.includes(`"${action}"`));
  expect(unknown.filter((action) => !made.includes(action))).toEqual([]);
  // All of sharing has words, but what the HSM fails at.
  const sharing = edge.match(/"(iam|kms|datastore):([a-z-]*(share|receive)[a-z-]*|lend)"/g) ?? [];
  const wordless = sharing.map((action) => action.slice(1, -1)).filter((action) => !(action in ACTIONS));
  expect(new Set(wordless)).toEqual(new Set(["kms:share-at-hsm"]));
});
