/**
 * Every view of the page at the width of a phone and of a desk, light and dark: the layout holds, axe finds nothing, and it looks as it was recorded
 * (docs/decisions/0094).
 */

import type { Page } from "playwright";
import { expect, it } from "vitest";
import { openEnrolled, sealFile, useSystemAndBrowser } from "../system/index.ts";
import { pdfWith } from "./made-pdf.ts";
import { shootViews } from "./screenshots.ts";

/** Pictures take their time on a slow machine. */
const PATIENCE = 300_000;
/** Panels that show what this run has done; and one that reads its parts one after another, and is scrolled where it was before they came. */
const VARY = ["Activity", "Administration", "Flow", "Key ladder"];

const { system, browsing } = useSystemAndBrowser({ admins: ["Ada"] });

async function close(page: Page): Promise<void> {
  await page.keyboard.press("Escape");
  await page
    .locator("dialog:modal")
    .waitFor({ state: "detached" })
    .catch(() => {});
  await expect.poll(() => page.locator("dialog:modal").count()).toBe(0);
}

it(
  "has each view hold its layout and axe's rules, from a phone to a desk, light and dark",
  async () => {
    const { page: before, context } = await browsing.open();
    await before.goto(`${system.appOrigin}/`);
    await before.getByRole("button", { name: "Sign in" }).waitFor();
    await shootViews(before, "welcome");
    await context.close();

    const page = await openEnrolled({ system, browsing }, "Ada");
    await page.getByText("Nothing sealed yet").waitFor();
    await shootViews(page, "empty");
    const long =
      "A name that is longer than any phone is wide, as people give it to what matters to them.txt";
    for (const name of ["plan.txt", long]) await sealFile(page, name, `the contents of ${name}`);
    await page.getByLabel("Files to seal").setInputFiles({
      ...{ name: "lease.pdf", mimeType: "application/pdf" },
      buffer: pdfWith([{ text: "The lease" }]),
    });
    await page.getByRole("button", { name: "Open lease.pdf" }).waitFor();
    await shootViews(page, "list");
    await page.getByRole("checkbox", { name: /plan\.txt/ }).check();
    await shootViews(page, "selected");
    await page.getByRole("button", { name: "Clear" }).click();

    await page.getByRole("button", { name: "Open plan.txt" }).click();
    await page.getByRole("dialog").locator("pre").waitFor();
    await shootViews(page, "text");
    await close(page);
    await page.getByRole("button", { name: "Delete plan.txt" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).waitFor();
    await shootViews(page, "question");
    await close(page);
    await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
    await shootViews(page, "shortcuts");
    await close(page);
    const panels = await page
      .locator("[data-panel]")
      .evaluateAll((all) =>
        all.filter((button) => button.checkVisibility()).map((button) => button.textContent.trim()),
      );
    expect(panels).toEqual(expect.arrayContaining(["Keys", "Sharing", "Deleted", "Administration"]));
    for (const button of panels) {
      await page.getByRole("button", { name: button, exact: true }).click();
      await page.locator("dialog:modal").waitFor();
      // For what it reads; what has not come by then is not in the picture, and the layout holds all the same.
      await page.waitForTimeout(1000);
      await shootViews(page, button.toLowerCase().replace(" ", "-"), { varies: VARY.includes(button) });
      await close(page);
    }

    // Longer words.
    await page.getByLabel("Language").selectOption("de");
    await page.getByRole("button", { name: "plan.txt öffnen" }).waitFor();
    await shootViews(page, "list-german");
    for (const name of ["Ablauf", "Schlüsselleiter"]) {
      await page.getByRole("button", { name, exact: true }).click();
      await page.locator("dialog:modal").waitFor();
      await shootViews(page, name.toLowerCase(), { varies: true });
      await close(page);
    }
    await page.context().close();
  },
  PATIENCE,
);
