/** A person's instances on the page, in Chromium with all real parts: what each is, its renewal, and its revocation. */

import type { Locator, Page } from "playwright";
import { expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const SCREENSHOTS = process.env.COFFER_SCREENSHOTS;

async function openVaults(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Vaults", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Your vaults" });
  await panel.getByRole("region", { name: "In this browser" }).waitFor();
  return panel;
}
const own = (panel: Locator) => panel.locator("[data-certificate]").textContent();
const others = (panel: Locator) =>
  panel.getByRole("list", { name: "Other vaults" }).getByRole("listitem").allTextContents();
const ended = (panel: Locator) => panel.locator("[data-ended] code").allTextContents();

it("M20 a vault is revoked on the page, is given no key from then on, and enrols again while its person is signed in", async () => {
  const first = await openEnrolled({ system, browsing }, "Ada");
  await sealFile(first, "plan.txt", "the plan");
  const second = await openEnrolled({ system, browsing }, "Ada");
  const its = await own(await openVaults(second));
  await second.keyboard.press("Escape");
  const panel = await openVaults(first);
  const here = await own(panel);
  expect(here).not.toBe(its);
  expect(await panel.getByRole("region", { name: "In this browser" }).textContent()).toMatch(
    /Tiersoftware.*Admitted byauthorization grant.*Certified until.*\(in .*\).*Statusactive/s,
  );
  await expect.poll(() => others(panel)).toHaveLength(1);
  if (SCREENSHOTS)
    for (const width of [360, 1280])
      for (const colorScheme of ["light", "dark"] as const) {
        await first.setViewportSize({ width, height: 800 });
        await first.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await first.screenshot({ path: `${SCREENSHOTS}/vaults-${width}-${colorScheme}.png` });
      }
  await panel.getByRole("button", { name: `Revoke the vault ${its} of` }).click();
  await first.getByRole("alertdialog").getByRole("button", { name: "Revoke", exact: true }).click();
  await expect.poll(() => panel.getByRole("status").textContent()).toContain("is revoked");
  expect(await others(panel)).toEqual([]);
  expect(await ended(panel)).toContain(its);
  await first.keyboard.press("Escape");

  // What the first one seals now the second has no key for: its load is refused, and it enrols again.
  await sealFile(first, "later.txt", "sealed afterwards");
  const refused: string[] = [];
  second.on("response", (response) => {
    if (response.status() === 403) refused.push(new URL(response.url()).pathname);
  });
  await second.reload();
  expect(await showFile(second, "later.txt")).toBe("sealed afterwards");
  expect(refused).toContain("/kms/loads");
  expect(await own(await openVaults(second))).not.toBe(its);
});

it("M20 this browser's vault is renewed on the page: other keys, and the instance before is revoked", async () => {
  const page = await openEnrolled({ system, browsing }, "Bea");
  await sealFile(page, "plan.txt", "the plan");
  const panel = await openVaults(page);
  const before = await own(panel);
  await panel.getByRole("button", { name: "Renew", exact: true }).click();
  await expect.poll(() => panel.getByRole("status").textContent()).toContain("the ones before are revoked");
  expect(await own(panel)).not.toBe(before);
  expect(await ended(panel)).toEqual([before]);
  await page.keyboard.press("Escape");
  expect(await showFile(page, "plan.txt")).toBe("the plan");
  await page.reload();
  await untilEnrolled(page);
  expect(await showFile(page, "plan.txt")).toBe("the plan");
  expect(await own(await openVaults(page))).not.toBe(before);
});
