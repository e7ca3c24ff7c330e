/** Members of an account on the page: two people in Chromium, each in a profile of their own, with all real parts. */

import type { Locator, Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const SCREENSHOTS = process.env.COFFER_SCREENSHOTS;

/** Reads an answer of the edge that the page gets, by the path's end. */
const refused = (page: Page) => {
  const statuses: string[] = [];
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (response.status() === 403) statuses.push(pathname);
  });
  return statuses;
};
const names = (page: Page) => page.locator("coffer-document [data-name]").allTextContents();
const rowOf = (panel: Locator, name: string) => panel.locator("coffer-member").filter({ hasText: name });
const said = (panel: Locator) => panel.getByRole("status").textContent();

async function openMembers(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Members", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Members" });
  await panel.locator("coffer-member").first().waitFor();
  return panel;
}

async function ownId(page: Page): Promise<string> {
  const panel = await openMembers(page);
  const id = await panel.locator("[data-own]").textContent();
  await page.keyboard.press("Escape");
  expect(id).toMatch(/^[a-z2-7]{32}$/);
  return id!;
}

async function add(panel: Locator, id: string, role: string): Promise<void> {
  await panel.getByLabel("Their id").fill(id);
  await panel.getByRole("combobox", { name: "As" }).selectOption(role);
  await panel.getByRole("button", { name: "Add", exact: true }).click();
  await panel.getByRole("status").getByText("is a member now").waitFor();
}

/** Both themes at the width of a phone and of a desk. */
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

let ada: Page;
let bea: Page;
let cem: Page;
let beasId: string;
beforeAll(async () => {
  ada = await openEnrolled({ system, browsing }, "Ada");
  bea = await openEnrolled({ system, browsing }, "Bea");
  cem = await openEnrolled({ system, browsing }, "Cem");
  await sealFile(ada, "plan.txt", "the plan of last year");
  await sealFile(bea, "own.txt", "Bea's own");
  beasId = await ownId(bea);
  const panel = await openMembers(ada);
  await add(panel, await ownId(cem), "reader");
  await ada.keyboard.press("Escape");
});

it("W11 a colleague who is added on the page opens what was sealed before, and after the removal not once more, while others go on", async () => {
  const panel = await openMembers(ada);
  await add(panel, beasId, "member");
  expect(await said(panel)).toBe("Bea is a member now, and opens what is in this account.");
  await shoot(ada, "members");
  await ada.keyboard.press("Escape");

  // Bea's page finds the account by itself; a reader's too.
  await bea.reload();
  expect(await showFile(bea, "plan.txt")).toBe("the plan of last year");
  await cem.reload();
  expect(await showFile(cem, "plan.txt")).toBe("the plan of last year");
  await bea.reload();
  await untilEnrolled(bea);
  await expect.poll(() => names(bea)).toEqual(["own.txt", "plan.txt"].toSorted());
  // With two accounts each row says whose it is.
  const shown = bea.locator("coffer-document").filter({ hasText: "plan.txt" }).locator("[data-meta]");
  await expect.poll(() => shown.textContent()).toMatch(/ · Ada$/);

  const again = await openMembers(ada);
  await rowOf(again, "Bea").getByRole("button", { name: "Remove Bea" }).click();
  const question = ada.getByRole("alertdialog", { name: "Remove this member?" });
  expect(await question.textContent()).toContain("ends within 8 hours");
  await expect.poll(() => question.getByRole("button", { name: "Cancel" }).evaluate(isFocused)).toBe(true);
  await shoot(ada, "members-remove");
  await question.getByRole("button", { name: "Remove", exact: true }).click();
  await again.getByRole("region", { name: "Give the account new keys?" }).waitFor();
  expect(await rowOf(again, "Bea").count()).toBe(0);

  // In a document that Bea's page still shows, the next load is refused; a reload lists the own ones alone.
  const answers = refused(bea);
  await bea.getByRole("button", { name: "Open plan.txt" }).click();
  await expect.poll(() => answers.length).toBeGreaterThan(0);
  await bea.getByRole("alert").waitFor();
  expect(await bea.locator("dialog pre").count()).toBe(0);
  await bea
    .locator("coffer-keys")
    .evaluate((keys) => keys.dispatchEvent(new CustomEvent("coffer-changed", { bubbles: true })));
  await expect.poll(() => names(bea)).toEqual(["own.txt"]);
  await bea.reload();
  await expect.poll(() => names(bea)).toEqual(["own.txt"]);
  expect(await showFile(bea, "own.txt")).toBe("Bea's own");
  expect(await showFile(cem, "plan.txt")).toBe("the plan of last year");

  await again.getByRole("button", { name: "Rotate keys" }).click();
  await expect.poll(() => said(again)).toContain("The account has new keys.");
  await ada.keyboard.press("Escape");
  await ada.reload();
  expect(await showFile(ada, "plan.txt")).toBe("the plan of last year");
  await cem.reload();
  expect(await showFile(cem, "plan.txt")).toBe("the plan of last year");
});

it("W11 a member leaves by the page, an owner alone manages, and the last owner stays", async () => {
  const panel = await openMembers(ada);
  expect(await panel.getByText("You are its last owner.").isVisible()).toBe(true);
  await add(panel, beasId, "reader");
  await rowOf(panel, "Bea").getByLabel("Role of Bea").selectOption("member");
  await expect.poll(() => said(panel)).toBe("Bea: member from now on.");
  // What the page offers is refused by the edge where it may not be: the select goes back.
  await rowOf(panel, "Ada").getByLabel("Role of Ada").selectOption("reader");
  await expect.poll(() => said(panel)).toContain("An account keeps an owner.");
  await expect.poll(() => panel.getByLabel("Role of Ada").inputValue()).toBe("owner");

  await bea.reload();
  await untilEnrolled(bea);
  const own = await openMembers(bea);
  await own.getByRole("combobox", { name: "Account" }).selectOption({ label: "Ada" });
  await rowOf(own, "Ada").waitFor();
  expect(await own.getByRole("button", { name: "Add", exact: true }).isVisible()).toBe(false);
  expect(await own.getByRole("button", { name: /^Remove/ }).count()).toBe(0);
  await own.getByRole("button", { name: "Leave…" }).focus();
  await bea.keyboard.press("Enter");
  const question = bea.getByRole("alertdialog", { name: "Leave this account?" });
  // For half a second no press counts.
  await expect.poll(() => question.getByRole("button", { name: "Leave" }).isEnabled()).toBe(true);
  await bea.keyboard.press("Tab");
  await bea.keyboard.press("Enter");
  await expect.poll(() => said(own)).toBe("You have left the account.");
  expect(await own.getByRole("combobox", { name: "Account" }).isVisible()).toBe(false);
  await bea.keyboard.press("Escape");
  await expect.poll(() => names(bea)).toEqual(["own.txt"]);
  expect(await showFile(bea, "own.txt")).toBe("Bea's own");
  expect(await showFile(cem, "plan.txt")).toBe("the plan of last year");
});

it("W11 a second device of the same person opens what the first one has sealed, and both see the members", async () => {
  const second = await openEnrolled({ system, browsing }, "Ada");
  expect(await showFile(second, "plan.txt")).toBe("the plan of last year");
  const panel = await openMembers(second);
  await expect.poll(() => rowOf(panel, "Ada").textContent()).toContain("you");
  await second.keyboard.press("Escape");
  await sealFile(second, "later.txt", "from the second device");
  await ada.reload();
  expect(await showFile(ada, "later.txt")).toBe("from the second device");
});

it("W11 the page asks for an id that can be one, and says who nobody is", async () => {
  const panel = await openMembers(cem);
  const field = panel.getByLabel("Their id");
  await field.fill("Bea");
  await panel.getByRole("button", { name: "Add", exact: true }).click();
  expect(await field.evaluate((input: HTMLInputElement) => input.validity.patternMismatch)).toBe(true);
  for (const [id, words] of [
    ["a".repeat(32), "Nobody with that id has signed in here yet."],
    [
      (await panel.locator("[data-own]").textContent())!,
      "That is your own id. Ask your colleague for theirs.",
    ],
  ] as const) {
    await field.fill(id);
    await panel.getByRole("button", { name: "Add", exact: true }).click();
    await expect.poll(() => said(panel)).toBe(words);
  }
  await cem.keyboard.press("Escape");
});

function isFocused(element: Element): boolean {
  return element === document.activeElement;
}
