/** Deletion that is taken back, and several documents as one ZIP, in Chromium with all real parts. */

import { readFileSync } from "node:fs";
import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { openEnrolled, sealFile, showFile, untilEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { shootViews } from "./screenshots.ts";

const { system, browsing } = useSystemAndBrowser();
let page: Page;
const shown = async () =>
  (
    await page.getByRole("list", { name: "Documents", exact: true }).locator("[data-name]").allTextContents()
  ).toSorted();
const button = (name: string) => page.getByRole("button", { name, exact: true });
const SOON = { timeout: 60_000 };
const said = () => page.locator("[data-status]").textContent();
const panel = () => page.getByRole("dialog", { name: "Deleted documents" });
async function remove(name: string): Promise<void> {
  await button(`Delete ${name}`).click();
  const question = page.getByRole("alertdialog");
  await question.getByText("you can restore it for 30 days").waitFor();
  await question.getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(shown, SOON).not.toContain(name);
}
beforeAll(async () => {
  page = await openEnrolled({ system, browsing }, "Ada");
  await page.addInitScript(() => {
    Reflect.deleteProperty(globalThis, "showSaveFilePicker");
    Reflect.deleteProperty(globalThis, "showDirectoryPicker");
  });
  await page.reload();
  await untilEnrolled(page);
  for (const name of ["plan.txt", "rent.txt", "will.txt"]) await sealFile(page, name, `${name}, whole`);
});

it("takes a deletion back by one press", async () => {
  await remove("plan.txt");
  await shootViews(page, "undo");
  await button("Undo").click();
  await expect.poll(shown, SOON).toEqual(["plan.txt", "rent.txt", "will.txt"]);
  expect(await button("Undo").count()).toBe(0);
  expect(await showFile(page, "plan.txt")).toBe("plan.txt, whole");
});

it("takes a deletion back after something else has changed the list", async () => {
  await remove("will.txt");
  await remove("plan.txt");
  await button("Deleted").click();
  await panel().getByRole("button", { name: "Restore will.txt" }).click();
  await panel().getByText("will.txt is back among your documents.").waitFor();
  await panel().getByRole("button", { name: "Close" }).click();
  await expect.poll(shown, SOON).toEqual(["rent.txt", "will.txt"]);
  expect(await button("Undo").count()).toBe(1);
  await button("Undo").click();
  await expect.poll(shown, SOON).toEqual(["plan.txt", "rent.txt", "will.txt"]);
});

it("shows again what another tab has brought back", async () => {
  await remove("plan.txt");
  const other = await page.context().newPage();
  await other.goto(`${system.appOrigin}/`);
  await untilEnrolled(other);
  await other.getByRole("button", { name: "Deleted", exact: true }).click();
  await other.getByRole("button", { name: "Restore plan.txt" }).click();
  await other.getByText("plan.txt is back among your documents.").waitFor();
  await page.bringToFront();
  await expect.poll(shown, SOON).toEqual(["plan.txt", "rent.txt", "will.txt"]);
  await other.close();
});

it("takes each of several out of the list as it is deleted, and brings all of them back", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  await page.route("**/deletion", async (route) => {
    if (asked++ > 0) await held;
    await route.continue();
  });
  await button("Open plan.txt").focus();
  await page.keyboard.press("Control+a");
  await button("Delete…").click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(async () => (await shown()).length, SOON).toBe(2);
  release();
  await expect.poll(shown, SOON).toEqual([]);
  await page.unroute("**/deletion");
  await button("Undo").click();
  await expect.poll(shown, SOON).toEqual(["plan.txt", "rent.txt", "will.txt"]);
});

it("lists what was deleted, after a reload too, restores one and deletes another for good", async () => {
  await remove("plan.txt");
  await remove("will.txt");
  await page.reload();
  await expect.poll(shown, SOON).toEqual(["rent.txt"]);
  await button("Deleted").click();
  const rows = panel().getByRole("listitem");
  await expect.poll(() => rows.count(), SOON).toBe(2);
  await shootViews(page, "deleted-several");
  await panel().getByRole("button", { name: "Restore plan.txt" }).click();
  await panel().getByText("plan.txt is back among your documents.").waitFor();
  await expect.poll(() => rows.count(), SOON).toBe(1);
  await panel().getByRole("button", { name: "Delete for good: will.txt" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  await panel().getByText("There is nothing here.").waitFor();
  await panel().getByRole("button", { name: "Close" }).click();
  await expect.poll(shown, SOON).toEqual(["plan.txt", "rent.txt"]);
  expect(await showFile(page, "plan.txt")).toBe("plan.txt, whole");
});

it("draws of ten thousand deleted documents what is near, and reaches the last one", async () => {
  const DELETED = "**/deleted-documents*";
  await page.route(DELETED, async (route) => {
    const { pathname, searchParams } = new URL(route.request().url());
    const at = Number(searchParams.get("cursor") ?? 0);
    const documents = Array.from({ length: 1000 }, (_, index) => {
      const [number, account] = [10_000 - at * 1000 - index, pathname.split("/")[2]];
      const id = `00000000-0000-8000-8000-${String(number).padStart(12, "0")}`;
      return { id, account, size: number, created: number, ends: 4_000_000_000 };
    });
    await route.fulfill({ json: { documents, ...(at < 9 && { cursor: String(at + 1) }) } });
  });
  await button("Deleted").click();
  const rows = panel().getByRole("listitem");
  await rows.first().waitFor(SOON);
  expect(await rows.first().getAttribute("aria-setsize")).toBe("10000");
  expect(await rows.count()).toBeLessThan(500);
  await panel()
    .getByRole("list", { name: "Deleted documents" })
    .evaluate((list) => {
      list.scrollTop = list.scrollHeight;
    });
  await panel().locator('[aria-posinset="10000"]').getByRole("button", { name: "Restore" }).waitFor(SOON);
  expect(await rows.count()).toBeLessThan(500);
  await panel().getByRole("button", { name: "Close" }).click();
  await page.unroute(DELETED);
});

it("saves several as one ZIP", async () => {
  await button("Open plan.txt").focus();
  await page.keyboard.press("Control+a");
  const download = page.waitForEvent("download");
  await button("Save as ZIP").click();
  const saved = await download;
  expect(saved.suggestedFilename()).toMatch(/^Coffer \d{4}-\d\d-\d\d\.zip$/);
  const bytes = readFileSync(await saved.path()).toString("latin1");
  for (const name of ["plan.txt", "rent.txt"]) {
    expect(bytes).toContain(name);
    // Stored, not compressed.
    expect(bytes).toContain(`${name}, whole`);
  }
  expect(bytes.split("PK\x03\x04")).toHaveLength(3);
  await button("Clear").click();
});

const NOTES = Array.from({ length: 12 }, (_, at) => `note ${at}.txt`).toSorted();

/** Twelve are there, shown alone, and selected. */
async function selectNotes(): Promise<void> {
  const there = await shown();
  const files = NOTES.filter((name) => !there.includes(name)).map((name) => {
    return { name, mimeType: "text/plain", buffer: Buffer.from(`${name}, whole`) };
  });
  if (files.length > 0) await page.getByLabel("Files to seal").setInputFiles(files);
  await page.getByLabel("Find by name").fill("note ");
  await expect.poll(shown, SOON).toEqual(NOTES);
  await button("Open note 0.txt").focus();
  await page.keyboard.press("Control+a");
}

it("says how far a deletion of several is, ends it at a press, says what came of it, and takes that back", async () => {
  await selectNotes();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  await page.route("**/deletion", async (route) => {
    if (asked++ > 1) await held;
    await route.continue();
  });
  await button("Delete…").click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  // Nothing is selected any more that is on its way out.
  await page.getByRole("region", { name: "Selected documents" }).waitFor({ ...SOON, state: "hidden" });
  const lot = page.getByRole("list", { name: "In progress" }).getByRole("listitem");
  await lot.getByText("2 of 12 deleted").waitFor(SOON);
  expect(await lot.count()).toBe(1);
  expect(await lot.getByRole("progressbar", { name: "Deleting 12 documents" }).getAttribute("value")).toBe(
    "2",
  );
  await shootViews(page, "deleting");
  await lot.getByRole("button", { name: "Cancel 12 documents" }).click();
  release();
  // What was under way is deleted as well, and no more.
  await expect.poll(said, SOON).toBe("6 of 12 documents are deleted. The others stay.");
  await page.unroute("**/deletion");
  await expect.poll(shown, SOON).toHaveLength(6);
  expect(await lot.count()).toBe(0);
  await button("Undo").click();
  await expect.poll(said, SOON).toBe("6 documents are restored.");
  await expect.poll(shown, SOON).toEqual(NOTES);
  await button("Dismiss").click();
});

it("says which of several could not be deleted, and tries those again", async () => {
  await selectNotes();
  let asked = 0;
  await page.route("**/deletion", async (route) =>
    asked++ % 2 === 0
      ? route.continue()
      : route.fulfill({
          status: 403,
          contentType: "application/problem+json",
          body: JSON.stringify({ title: "no", status: 403, code: "forbidden" }),
        }),
  );
  await button("Delete…").click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete", exact: true }).click();
  const lot = page.getByRole("list", { name: "In progress" }).getByRole("listitem");
  await lot
    .getByRole("alert")
    .getByText(/^6 are left\. /)
    .waitFor(SOON);
  await expect.poll(said, SOON).toBe("6 of 12 documents are deleted. The others stay.");
  await expect.poll(shown, SOON).toHaveLength(6);
  await page.unroute("**/deletion");
  await lot.getByRole("button", { name: "Try again: 12 documents" }).click();
  await expect.poll(said, SOON).toBe("12 documents are deleted.");
  await expect.poll(shown, SOON).toEqual([]);
  await button("Undo").click();
  await expect.poll(said, SOON).toBe("12 documents are restored.");
  await expect.poll(async () => (await shown()).length, SOON).toBe(12);
});
