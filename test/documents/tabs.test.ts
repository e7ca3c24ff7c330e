/** What happens to a page from outside, in Chromium with all real parts: another tab, no network, and a browser that clears what the vault has stored. */

import type { Page } from "playwright";
import { expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();

/** What another page does comes when both have had their turn. */
const SOON = { timeout: 60_000 };

const shown = (page: Page) =>
  page.getByRole("list", { name: "Documents" }).locator("[data-name]").allTextContents();

async function remove(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: `Delete ${name}`, exact: true }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
}

it("two tabs show the same: what one seals and deletes is listed in the other, and opens there", async () => {
  const first = await openEnrolled({ system, browsing }, "Ada");
  const second = await first.context().newPage();
  await second.goto(`${system.appOrigin}/`);
  await untilEnrolled(second);
  await sealFile(first, "from the first.txt", "one");
  await expect.poll(() => shown(second), SOON).toEqual(["from the first.txt"]);
  expect(await showFile(second, "from the first.txt")).toBe("one");
  await sealFile(second, "from the second.txt", "two");
  await expect.poll(async () => (await shown(first)).toSorted(), SOON).toHaveLength(2);
  expect(await showFile(first, "from the second.txt")).toBe("two");
  await remove(second, "from the first.txt");
  await expect.poll(() => shown(first), SOON).toEqual(["from the second.txt"]);
  await expect.poll(() => shown(second), SOON).toEqual(["from the second.txt"]);
  await first.context().close();
});

it("says that there is no network, and lists what came meanwhile once there is one", async () => {
  const page = await openEnrolled({ system, browsing }, "Bea");
  await sealFile(page, "kept.txt", "kept");
  await page.context().setOffline(true);
  await remove(page, "kept.txt");
  const notice = page.getByRole("alert").filter({ hasText: "The server cannot be reached." });
  await notice.waitFor({ timeout: 60_000 });
  expect(await shown(page)).toEqual(["kept.txt"]);
  await page.getByRole("button", { name: "Dismiss kept.txt", exact: true }).click();
  await notice.waitFor({ state: "detached" });
  const elsewhere = await openEnrolled({ system, browsing }, "Bea");
  await sealFile(elsewhere, "meanwhile.txt", "from another device");
  await elsewhere.context().close();
  expect(await shown(page)).toEqual(["kept.txt"]);
  await page.context().setOffline(false);
  await expect.poll(async () => (await shown(page)).toSorted(), SOON).toEqual(["kept.txt", "meanwhile.txt"]);
  expect(await showFile(page, "meanwhile.txt")).toBe("from another device");
  await page.context().close();
});

it("enrols again where the browser has cleared what the vault had stored, and opens what was sealed before", async () => {
  const page = await openEnrolled({ system, browsing }, "Cem");
  await sealFile(page, "before.txt", "before");
  const instance = () =>
    page
      .getByRole("button", { name: "Vaults", exact: true })
      .click()
      .then(async () => {
        const dialog = page.getByRole("dialog", { name: "Your vaults" });
        const id = dialog.locator("[data-certificate]");
        await expect.poll(() => id.textContent()).not.toBe("");
        const text = await id.textContent();
        await dialog.getByRole("button", { name: "Close" }).click();
        return text;
      });
  const was = await instance();
  const cdp = await page.context().newCDPSession(page);
  await page.goto("about:blank");
  await cdp.send("Storage.clearDataForOrigin", {
    origin: system.vaultOrigin,
    storageTypes: "indexeddb,local_storage,cache_storage,file_systems",
  });
  await page.goto(`${system.appOrigin}/`);
  await untilEnrolled(page);
  expect(await showFile(page, "before.txt")).toBe("before");
  expect(await instance()).not.toBe(was);
  await page.context().close();
});
