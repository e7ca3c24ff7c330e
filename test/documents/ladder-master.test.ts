/** The views that explain at level `master`, in Chromium with all real parts: the vault climbs the ladder by itself, and tells of it. */

import { expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, useSystemAndBrowser } from "../system/index.ts";
import { shootViews } from "./screenshots.ts";

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
  // Encrypted, and by the KMS's own word: five minutes after they came from the HSM.
  const kept = (rung: string) =>
    panel.getByRole("list", { name: `${rung} keys in the KMS's memory` }).getByRole("listitem");
  for (const rung of ["Master", "Data"]) {
    await expect.poll(() => kept(rung).count()).toBe(1);
    expect(await kept(rung).textContent()).toMatch(/[0-5]:\d\d left$/);
  }
  expect(await panel.getByRole("list", { name: "Account keys in the KMS's memory" }).count()).toBe(0);
  await shootViews(page, "key-ladder-master", { varies: true });
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

it("says why no document is shared where one key opens all of an account, and what to do instead", async () => {
  const page = await openEnrolled({ system, browsing }, "Bea");
  const other = await openEnrolled({ system, browsing }, "Bob");
  await other.getByRole("button", { name: "Sharing", exact: true }).click();
  const account = other.getByRole("dialog", { name: "Sharing" }).locator("[data-own]");
  await expect.poll(() => account.textContent()).not.toBe("");
  const to = (await account.textContent()) ?? "";
  await other.context().close();

  await sealFile(page, "plan.txt", "the plan");
  await page.getByRole("checkbox", { name: "Select plan.txt" }).click();
  await page.getByRole("button", { name: "Share…" }).click();
  const panel = page.getByRole("dialog", { name: "Sharing" });
  await panel.getByLabel("Id of the account that may open it").fill(to);
  await panel.getByRole("button", { name: "Share", exact: true }).click();
  await expect
    .poll(() => panel.getByRole("status").textContent())
    .toBe(
      "Its key opens other documents too, or may not be passed on: it cannot be shared. Seal it in an account that both of you are members of.",
    );
  // That it was refused is drawn as well, with what the server answered.
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Flow", exact: true }).click();
  const flow = page.getByRole("dialog", { name: "What happened" });
  const choice = flow.getByRole("combobox", { name: "Operation" });
  const sharing = choice.locator("option", { hasText: "Sharing a document" });
  await choice.selectOption({ label: (await sharing.first().textContent()) ?? "" });
  const steps = flow.getByRole("list", { name: "Steps" }).getByRole("listitem");
  const refused = (await steps.allTextContents()).filter((text) => text.includes("Failed"));
  expect(refused).toHaveLength(1);
  expect(refused[0]).toMatch(/POST \/kms\/accounts\/.+\/shares.+Failed \(422\)$/);
  await page.context().close();
});
