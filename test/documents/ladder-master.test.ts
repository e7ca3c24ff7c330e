/** The views that explain at level `master`, in Chromium with all real parts: the vault climbs the ladder by itself, and tells of it. */

import { expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser({ level: "master" });

it("W7 shows each rung that the vault holds, and what it asked KMS and IAM for by itself", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  await sealFile(page, "plan.txt", "the plan");
  await page.getByRole("button", { name: "Key ladder", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Key ladder" });
  const held = (rung: string) =>
    panel.getByRole("list", { name: `${rung} keys in this vault` }).getByRole("listitem");
  for (const rung of ["Master", "Account", "Data"]) await expect.poll(() => held(rung).count()).toBe(1);
  expect(await held("Master").textContent()).toMatch(/\d+:\d\d left$/);
  await panel.getByRole("button", { name: "Drop keys now" }).click();
  await panel.getByText("This vault holds no key now.").waitFor();
  for (const rung of ["Master", "Account", "Data"]) expect(await held(rung).count(), rung).toBe(0);
  await page.keyboard.press("Escape");
  expect(await showFile(page, "plan.txt")).toBe("the plan");

  await page.getByRole("button", { name: "Flow", exact: true }).click();
  const flow = page.getByRole("dialog", { name: "What happened" });
  const choice = flow.getByRole("combobox", { name: "Operation" });
  const steps = flow.getByRole("list", { name: "Steps" }).getByRole("listitem");
  // Of some operation since the page was loaded: the copies that it fetched then are good for an hour.
  await expect.poll(() => choice.locator("option").count()).toBeGreaterThan(1);
  const seen: string[] = [];
  for (const label of await choice.locator("option").allTextContents()) {
    await choice.selectOption({ label });
    seen.push(...(await steps.allTextContents()));
  }
  const own = seen.filter((text) => text.startsWith("Vault to Gateway"));
  expect(own.some((text) => text.includes("/instances/"))).toBe(true);
  for (const text of own) expect(text).toMatch(/REST, [\d.,]+ ms$/);
  await page.context().close();
});
