/** Every view of the page, and of the vault, held against WCAG 2.2 AA by axe-core: in Chromium, on a phone and a desk, in both themes. */

import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { sealFile, typeName, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { addPasskey, authenticator, openVaults, said, unlockButton, unlocking } from "./authenticator.ts";
import { violationsAtAll, violationsOf } from "./axe.ts";

const { system, browsing } = useSystemAndBrowser({ admins: ["Ada"] });
let page: Page;
beforeAll(async () => {
  ({ page } = await browsing.open());
});

/** Whatever is found, the next view is looked at too. */
const looked = async (name: string) => expect.soft(await violationsAtAll(page, name), name).toEqual([]);
const frameOf = (title: string) =>
  page
    .locator(`iframe[title="${title}"]`)
    .elementHandle()
    .then((handle) => handle!.contentFrame());

it("the start page, the provider's door back and the vault's question who signs in", async () => {
  await page.goto(`${system.appOrigin}/`);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await looked("start");
  await page.getByRole("button", { name: "Sign in" }).click();
  await typeName(page, "Ada", new URL(system.vaultOrigin).hostname);
  await looked("sign in");
  await page.getByRole("button", { name: "Continue as Ada" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await untilEnrolled(page);
});

it("the list: empty, with documents, none found, and with a selection", async () => {
  await page.getByText("Nothing sealed yet").waitFor();
  await looked("empty");
  // As many as are searched, and the one that is looked at longer than a screen.
  const files = Array.from({ length: 8 }, (_, n) => ({
    ...{ name: `letter ${n}.txt`, mimeType: "text/plain", buffer: Buffer.from("what is in it") },
  }));
  await page.getByLabel("Files to seal").setInputFiles(files);
  await sealFile(page, "plan.txt", "what is in it\n".repeat(200));
  await looked("documents");
  await page.getByLabel("Find by name").fill("nowhere");
  await page.getByText("No document has that in its name.").waitFor();
  await looked("none found");
  await page.getByLabel("Find by name").fill("");
  const rows = page.getByRole("list", { name: "Documents" });
  await rows.getByRole("button", { name: "Open plan.txt" }).waitFor();
  for (const box of (await rows.getByRole("checkbox").all()).slice(0, 2)) await box.check();
  await page.getByRole("region", { name: "Selected documents" }).waitFor();
  await looked("selection");
  await page
    .getByRole("region", { name: "Selected documents" })
    .getByRole("button", { name: "Clear" })
    .click();
});

it.each(["Keys", "Members", "Activity", "Vaults", "Administration", "Keyboard shortcuts"])(
  "the panel %s",
  async (name) => {
    await page.getByRole("button", { name, exact: true }).click();
    const panel = page.locator("dialog[open]");
    await panel.waitFor();
    // Whatever it reads is drawn: nothing of it changes any more.
    const drawn = [""];
    await expect
      .poll(async () => drawn.unshift(await panel.innerHTML()) && drawn[0] === drawn[1], { interval: 400 })
      .toBe(true);
    await looked(name);
    await panel.getByRole("button", { name: "Close" }).click();
  },
);

it("a document that is open, one that is renamed, a question, and what went wrong", async () => {
  const rows = page.getByRole("list", { name: "Documents" });
  await rows.getByRole("button", { name: "Open plan.txt" }).click();
  await page.getByRole("dialog").locator("pre").waitFor();
  await looked("viewer");
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await rows.getByRole("button", { name: "Delete plan.txt" }).click();
  await page.getByRole("alertdialog").waitFor();
  await looked("question");
  await page.getByRole("alertdialog").getByRole("button", { name: "Keep it" }).click();
  await rows.getByRole("checkbox").first().check();
  await page.getByRole("button", { name: "Rename…" }).click();
  await page.locator("dialog[open]").waitFor();
  await looked("rename");
  await page.keyboard.press("Escape");
  await page
    .getByRole("region", { name: "Selected documents" })
    .getByRole("button", { name: "Clear" })
    .click();
  await page.context().setOffline(true);
  await rows.getByRole("button", { name: "Delete plan.txt" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("alert").first().waitFor();
  await looked("notice");
  await page.context().setOffline(false);
});

it("passkeys, the vault's own button for them, and the bar that unlocks", async () => {
  await authenticator(page);
  const panel = await openVaults(page);
  await addPasskey(page).waitFor();
  const button = await frameOf("Coffer vault: add a passkey");
  expect(await violationsAtAll(page, "add a passkey", button!)).toEqual([]);
  await addPasskey(page).click();
  await expect.poll(() => said(panel)).toContain("The passkey is added.");
  await looked("passkeys");
  await panel.getByRole("button", { name: "Renew with a passkey" }).click();
  await expect.poll(() => said(panel), { timeout: 30_000 }).toContain("the ones before are revoked");
  await page.reload();
  await unlockButton(page).waitFor();
  await looked("locked");
  const bar = await frameOf("Coffer vault: unlock with your passkey");
  expect(await violationsAtAll(page, "unlock", bar!)).toEqual([]);
  await unlockButton(page).click();
  await untilEnrolled(page);
  expect(await unlocking(page).locator("button").count()).toBe(0);
});

it("a planted fault is seen (positive control)", async () => {
  await page.evaluate(() => {
    const image = document.createElement("img");
    image.src = "/favicon.svg";
    document.querySelector("main")?.append(image);
  });
  expect(await violationsOf(page)).toEqual([expect.stringMatching(/^image-alt: /)]);
});
