/** The list of documents as a person works with it, in Chromium with all real parts: find, order, select, keyboard, rename, folders, names of a messy world. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openEnrolled, showFile, useSystemAndBrowser } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const folder = mkdtempSync(join(tmpdir(), "coffer-desk-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Name and bytes, in the order in which they are sealed. */
const FILES = [
  ["plan 10.txt", 30],
  ["plan 2.txt", 2000],
  ["Mu\u0308ll.txt", 5],
  ["zebra.txt", 70],
  ["apple.txt", 9],
  ["letter.txt", 11],
  ["invoice\u200b.txt", 13],
  ["דוח שנתי.txt", 17],
  ["receipt.txt", 19],
] as const;

let page: Page;
const list = () => page.getByRole("list", { name: "Documents" });
const shown = () => list().locator("[data-name]").allTextContents();
const button = (name: string) => page.getByRole("button", { name, exact: true });
const box = (name: string) => page.getByRole("checkbox", { name: `Select ${name}`, exact: true });
const focused = () =>
  page.evaluate(
    () => document.activeElement?.closest("[role=listitem]")?.querySelector("[data-name]")?.textContent,
  );
const sealed = (count: number) =>
  page.waitForFunction(
    (wanted) => document.querySelector("[data-count]")?.getAttribute("data-named") === String(wanted),
    count,
    { timeout: 60_000 },
  );
const shot = async (name: string) => {
  const to = process.env.COFFER_SCREENSHOTS;
  if (!to) return;
  for (const [width, height] of [
    [1280, 900],
    [360, 740],
  ] as const) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: `${to}/${name}-${width}-${colorScheme}.png` });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 720 });
};

beforeAll(async () => {
  page = await openEnrolled({ system, browsing }, "Ada");
  await page.addInitScript(() => {
    Reflect.deleteProperty(globalThis, "showSaveFilePicker");
    Reflect.deleteProperty(globalThis, "showDirectoryPicker");
  });
  await page.reload();
  let count = 0;
  for (const [name, size] of FILES) {
    const file = { name, mimeType: "text/plain", buffer: Buffer.alloc(size, "x") };
    await page.getByLabel("Files to seal").setInputFiles(file);
    await sealed(++count);
  }
});

it("shows what nobody sees in a name, and keeps one that runs from right to left to itself", async () => {
  expect(await shown()).toContain("invoice⟨U+200B⟩.txt");
  await button("Open invoice⟨U+200B⟩.txt").waitFor();
  await button("Delete \u2068דוח שנתי.txt\u2069").click();
  const question = page.getByRole("alertdialog");
  expect(await question.locator("strong bdi").textContent()).toContain("דוח שנתי.txt");
  await question.getByRole("button", { name: "Keep it" }).click();
});

it("finds by words of a name, whichever way it is composed, and says when there is none", async () => {
  const field = page.getByLabel("Find by name");
  await field.fill("MÜLL");
  await expect.poll(shown).toEqual(["Mu\u0308ll.txt"]);
  expect(await page.locator("[data-count]").textContent()).toContain("1 of 9 documents");
  await field.fill("txt plan");
  await expect.poll(shown).toEqual(["plan 2.txt", "plan 10.txt"]);
  await field.fill("nowhere");
  await page.getByText("No document has that in its name.").waitFor();
  await field.fill("");
  await expect.poll(async () => (await shown()).length).toBe(FILES.length);
});

it("orders by time, name and size", async () => {
  const order = page.getByLabel("Order");
  await order.selectOption("Name, A to Z");
  await expect
    .poll(async () => (await shown()).slice(0, 7))
    .toEqual([
      "apple.txt",
      "invoice⟨U+200B⟩.txt",
      "letter.txt",
      "Mu\u0308ll.txt",
      "plan 2.txt",
      "plan 10.txt",
      "receipt.txt",
    ]);
  await order.selectOption("Largest first");
  await expect.poll(async () => (await shown())[0]).toBe("plan 2.txt");
  await order.selectOption("Oldest first");
  await expect.poll(async () => (await shown())[0]).toBe("plan 10.txt");
  await order.selectOption("Newest first");
  await expect.poll(async () => (await shown())[0]).toBe("receipt.txt");
});

it("is gone through by keyboard: arrows, first letters, selection, and a sheet that says so", async () => {
  await page.getByLabel("Order").selectOption("Name, A to Z");
  await button("Open apple.txt").focus();
  await page.keyboard.press("ArrowDown");
  expect(await focused()).toBe("invoice⟨U+200B⟩.txt");
  await page.keyboard.press("End");
  expect(await focused()).toBe((await shown()).at(-1));
  await page.keyboard.press("Home");
  expect(await focused()).toBe("apple.txt");
  await page.keyboard.press("p");
  expect(await focused()).toBe("plan 2.txt");
  await page.keyboard.press("p");
  expect(await focused()).toBe("plan 10.txt");
  await page.keyboard.press("Control+Space");
  await page.keyboard.press("Shift+ArrowUp");
  expect(await page.locator("[data-chosen-count]").textContent()).toBe("2 selected");
  await shot("selected");
  await page.keyboard.press("Control+a");
  expect(await page.locator("[data-chosen-count]").textContent()).toBe(`${FILES.length} selected`);
  await page.keyboard.press("Escape");
  expect(await page.locator("[data-chosen]").isVisible()).toBe(false);
  await page.keyboard.press("/");
  expect(await page.evaluate(() => document.activeElement?.hasAttribute("data-find"))).toBe(true);
  // Where something is typed, it is typed.
  await page.keyboard.press("?");
  expect(await page.getByLabel("Find by name").inputValue()).toBe("?");
  await page.getByLabel("Find by name").fill("");
  await button("Open apple.txt").focus();
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await sheet.waitFor();
  await shot("help");
  await sheet.getByLabel("Use shortcuts of a single key").uncheck();
  await page.keyboard.press("Escape");
  await button("Open apple.txt").focus();
  await page.keyboard.press("?");
  expect(await sheet.isVisible()).toBe(false);
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  await sheet.getByLabel("Use shortcuts of a single key").check();
  await sheet.getByRole("button", { name: "Close" }).click();
});

it("saves each of several that are selected, from one by mouse to another", async () => {
  await box("apple.txt").click();
  await box("letter.txt").click({ modifiers: ["Shift"] });
  expect(await page.locator("[data-chosen-count]").textContent()).toBe("3 selected");
  const saved: string[] = [];
  page.on("download", (download) => saved.push(download.suggestedFilename()));
  await page
    .getByRole("region", { name: "Selected documents" })
    .getByRole("button", { name: "Save", exact: true })
    .click();
  await expect.poll(() => saved.toSorted()).toHaveLength(3);
  expect(saved).toEqual(expect.arrayContaining(["apple.txt", "letter.txt"]));
  await page.getByRole("button", { name: "Clear" }).click();
});

it("renames by F2: another name, the same content, after a reload too", async () => {
  await button("Open letter.txt").focus();
  await page.keyboard.press("F2");
  const dialog = page.getByRole("dialog", { name: "Another name" });
  await dialog.waitFor();
  // The end that says its kind is not selected: what is typed takes the place of the rest.
  await page.keyboard.type("farewell");
  await shot("rename");
  await page.keyboard.press("Enter");
  await button("Open farewell.txt").waitFor();
  await expect.poll(shown).not.toContain("letter.txt");
  await page.reload();
  expect(await showFile(page, "farewell.txt")).toBe("x".repeat(11));
  await expect.poll(shown).not.toContain("letter.txt");
});

it("deletes several after one question, and keeps them where the answer is no", async () => {
  await sealed(FILES.length);
  await box("zebra.txt").click();
  await box("plan 2.txt").click();
  await page.getByRole("button", { name: "Delete…" }).click();
  const question = page.getByRole("alertdialog", { name: "Delete these documents?" });
  await question.getByText("2 documents").waitFor();
  await question.getByRole("button", { name: "Keep them" }).click();
  expect(await shown()).toHaveLength(FILES.length);
  await page.getByRole("button", { name: "Delete…" }).click();
  await question.getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(async () => (await shown()).length).toBe(FILES.length - 2);
  expect(await page.locator("[data-chosen]").isVisible()).toBe(false);
  await page.reload();
  await sealed(FILES.length - 2);
  expect(await shown()).not.toContain("zebra.txt");
});

it("takes a dropped folder with all below it, and keeps where each file was in it", async () => {
  const top = join(folder, "Taxes");
  mkdirSync(join(top, "2025", "bills"), { recursive: true });
  writeFileSync(join(top, "summary.txt"), "summary");
  writeFileSync(join(top, "2025", "bills", "summary.txt"), "bill");
  writeFileSync(join(folder, "alone.txt"), "alone");
  const cdp = await page.context().newCDPSession(page);
  const data = { items: [], files: [top, join(folder, "alone.txt")], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const)
    await cdp.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  const before = FILES.length - 2;
  await sealed(before + 3);
  const folders = async () =>
    (await list().locator("[data-folder]:not([hidden])").allTextContents()).toSorted();
  expect(await folders()).toEqual(["Taxes", "Taxes / 2025 / bills"]);
  // As chosen by the button.
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Folder…" }).click();
  await (await chooser).setFiles(top);
  await sealed(before + 5);
  await page.reload();
  await sealed(before + 5);
  expect(await folders()).toEqual(["Taxes", "Taxes", "Taxes / 2025 / bills", "Taxes / 2025 / bills"]);
  await page.getByLabel("Find by name").fill("bills");
  await expect.poll(shown).toEqual(["summary.txt", "summary.txt"]);
  await shot("folders");
});

it("saves several into a folder, each where it was, and writes over nothing", async () => {
  const other = await openEnrolled({ system, browsing }, "Fay");
  // The question is answered by a folder of the origin's own.
  await other.evaluate(() => {
    Object.assign(globalThis, { showDirectoryPicker: () => navigator.storage.getDirectory() });
  });
  const top = join(folder, "Rent");
  mkdirSync(join(top, "2025", "bills"), { recursive: true });
  writeFileSync(join(top, "2025", "bills", "summary.txt"), "bill");
  const opening = other.getByRole("button", { name: "Open summary.txt" });
  for (const count of [1, 2]) {
    await other.getByLabel("Folder to seal").setInputFiles(top);
    await expect.poll(() => opening.count(), { timeout: 60_000 }).toBe(count);
  }
  await opening.first().focus();
  await other.keyboard.press("Control+a");
  const chosen = other.getByRole("region", { name: "Selected documents" });
  await chosen.getByRole("button", { name: "Save", exact: true }).click();
  const read = () =>
    other.evaluate(async () => {
      let place = await navigator.storage.getDirectory();
      for (const part of ["Rent", "2025", "bills"]) place = await place.getDirectoryHandle(part);
      const texts: Record<string, string> = {};
      for (const name of ["summary.txt", "summary (2).txt"])
        texts[name] = await (await (await place.getFileHandle(name)).getFile()).text();
      return texts;
    });
  await expect
    .poll(() => read().catch(() => undefined), { timeout: 60_000 })
    .toEqual({ "summary.txt": "bill", "summary (2).txt": "bill" });
  await other.context().close();
});

it("has a name for everything that can be pressed, chosen or typed into", async () => {
  const cdp = await page.context().newCDPSession(page);
  const { nodes } = await cdp.send("Accessibility.getFullAXTree");
  const roles = new Set(["button", "checkbox", "combobox", "textbox", "searchbox", "link", "dialog"]);
  const named = nodes.filter(({ role, ignored }) => !ignored && roles.has(String(role?.value)));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ name }) => !name?.value).map(({ role }) => role?.value)).toEqual([]);
});

it("fits a phone: nothing is wider than the screen", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  const widest = () => page.evaluate(() => document.documentElement.scrollWidth);
  expect(await widest()).toBeLessThanOrEqual(360);
  await page.setViewportSize({ width: 1280, height: 720 });
  expect(await widest()).toBeLessThanOrEqual(1280);
});
