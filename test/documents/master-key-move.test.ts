/** The move of account keys under a new master key on the page, in Chromium with all real parts. */

import { expect, it } from "vitest";
import { retireMasterKey, rotateMasterKey } from "#cli/master-key.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { hsmClient } from "../system/hsm.ts";
import { openEnrolled, readRows, sealFile, showFile, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser({ admins: ["Ada"] });

/** Under which master keys the IAM has account keys. */
const masters = () => [...new Set(readRows(system.edgeDir, "account_keys").map(({ master }) => master))];

it("W12 an admin begins the move under a new master key on the page and sees it end; what was sealed before opens without the old one", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  await sealFile(page, "plan.txt", "the plan");
  const officer = await hsmClient(system, IDENTITY.officer);
  const { replaced, successor } = await rotateMasterKey(officer, "development", new Date());
  expect(masters()).toEqual([replaced]);
  await page.getByRole("button", { name: "Administration", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Administration" });
  const words = panel.locator("[data-move-words]");
  await panel.getByRole("heading", { name: "Master key" }).waitFor();
  expect(await words.isVisible()).toBe(false);
  await panel.getByRole("button", { name: "Move account keys" }).click();
  await expect.poll(() => panel.getByRole("status").textContent()).toBe("The move has begun.");
  await expect.poll(() => words.textContent(), { timeout: 60_000 }).toBe("1 of 1 accounts have moved.");
  expect(masters()).toEqual([successor]);
  expect(await retireMasterKey(officer, "development")).toBe(replaced);
  await page.reload();
  expect(await showFile(page, "plan.txt")).toBe("the plan");
  await page.keyboard.press("Escape");
  // Asked again it says how far it is, without a press.
  await page.getByRole("button", { name: "Administration", exact: true }).click();
  await expect.poll(() => words.isVisible()).toBe(true);
  expect(await words.textContent()).toBe("1 of 1 accounts have moved.");
});
