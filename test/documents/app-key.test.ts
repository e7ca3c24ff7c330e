/** A browser's app-specific key is replaced on the page, in Chromium with all real parts: of either kind (W12). */

import type { Page } from "playwright";
import { describe, expect, it } from "vitest";
import {
  openEnrolled,
  readRows,
  sealFile,
  showFile,
  untilEnrolled,
  useSystemAndBrowser,
} from "../system/index.ts";

async function openVaults(page: Page) {
  await page.getByRole("button", { name: "Vaults", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Your vaults" });
  await panel.getByRole("region", { name: "In this browser" }).waitFor();
  return panel;
}

/** Presses the button, and answers the vault's id before and afterwards. */
async function replace(page: Page): Promise<[string | null, string | null]> {
  const panel = await openVaults(page);
  const own = () => panel.locator("[data-certificate]").textContent();
  const before = await own();
  await panel.getByRole("button", { name: "New app-specific key", exact: true }).click();
  await expect
    .poll(() => panel.getByRole("status").textContent(), { timeout: 30_000 })
    .toContain("another app-specific key");
  const after = await own();
  await page.keyboard.press("Escape");
  return [before, after];
}

describe("as pairs", () => {
  const { system, browsing } = useSystemAndBrowser({ level: "master" });

  it("W12 a browser gets another pair as its app-specific key on the page, and Enc(master) for the one before is gone", async () => {
    const page = await openEnrolled({ system, browsing }, "Ada");
    await sealFile(page, "plan.txt", "the plan");
    const [before, after] = await replace(page);
    expect(after).not.toBe(before);
    expect(await showFile(page, "plan.txt")).toBe("the plan");
    const released = () => readRows(system.edgeDir, "encrypted_masters").map(({ instance }) => instance);
    await expect.poll(released, { timeout: 30_000 }).toEqual([after]);
    await page.reload();
    await untilEnrolled(page);
    expect(await showFile(page, "plan.txt")).toBe("the plan");
  });
});

describe("symmetric", () => {
  const settings = () => ({ appKeys: "AES-256" as const });
  const { system, browsing } = useSystemAndBrowser({ level: "master", settings });

  it("W12 a browser gets another symmetric app-specific key on the page, without another enrolment, and the one before ends", async () => {
    const page = await openEnrolled({ system, browsing }, "Ada");
    await sealFile(page, "plan.txt", "the plan");
    const keys = () => readRows(system.edgeDir, "app_keys").map(({ id }) => id);
    const [held] = keys();
    const [before, after] = await replace(page);
    expect(after).toBe(before);
    expect(keys()).toHaveLength(1);
    expect(keys()).not.toEqual([held]);
    expect(await showFile(page, "plan.txt")).toBe("the plan");
    await page.reload();
    await untilEnrolled(page);
    expect(await showFile(page, "plan.txt")).toBe("the plan");
  });
});
