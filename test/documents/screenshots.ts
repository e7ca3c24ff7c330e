/** Pictures of a view on a phone and on a desk, light and dark: what has to hold of its layout in each, and that it looks as it was recorded. */

import { mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright";
import { expect } from "vitest";
import { skipped } from "../support/missing.ts";
import { violationsOf } from "./axe.ts";
import { differenceOf, record, recordedBy } from "./pictures.ts";
import { dressed } from "./steady.ts";

const FOLDER = process.env.COFFER_SCREENSHOTS;
const RECORDING = process.env.COFFER_RECORD === "1";
const WIDTHS = [360, 1280];
const THEMES = ["light", "dark"] as const;
/** Between two looks at what may still be on its way, milliseconds, and looks. */
const PAUSE = 500;
const LOOKS = 6;
/** What shows how this machine draws letters, by the name of its recorded picture. */
const LETTERS = "letters";

export type View = {
  /** It shows what this run has asked of whom, or letters of the system's fonts: no two pictures are alike, and none is held against another. */
  varies?: boolean;
};

/**
 * Holds the layout at each width in each theme, and the picture against the recorded one, where this Chromium is the one that has recorded it.
 * `npm run screenshots` writes the pictures into a folder, with `--record` the recorded ones too.
 */
export async function shootViews(page: Page, name: string, view: View = {}): Promise<void> {
  const before = page.viewportSize();
  // What the pointer happens to be over looks otherwise.
  await page.mouse.move(0, 0);
  for (const width of WIDTHS)
    for (const colorScheme of THEMES) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const where = `${name} at ${width}, ${colorScheme}`;
      expect.soft(await faultsOf(page), where).toEqual([]);
      expect.soft(await violationsOf(page), where).toEqual([]);
      const difference = await hold(page, `${name}-${width}-${colorScheme}`, view);
      expect.soft(difference, where).toBeUndefined();
    }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  if (before) await page.setViewportSize(before);
}

/** What the view differs from its recorded picture by, once that is all that still differs; undefined for nothing, or where none is held against it. */
async function hold(page: Page, name: string, { varies = false }: View): Promise<string | undefined> {
  const [chromium = ""] = page.context().browser()?.version().split(".") ?? [];
  const amiss = RECORDING ? undefined : await incomparable(page, chromium);
  if (amiss !== undefined) skipped(`pictures of the page are not compared: ${amiss}`);
  const comparable = amiss === undefined && !varies;
  if (!comparable && !RECORDING && !FOLDER) return undefined;
  const shoot = () => dressed(page, () => page.screenshot({ scale: "css", animations: "disabled" }));
  let picture = await shoot();
  let difference: string | undefined;
  for (let look = 0; look < LOOKS; look++) {
    difference = comparable && !RECORDING ? differenceOf(name, picture) : undefined;
    if (difference === undefined && (varies || !RECORDING)) break;
    await page.waitForTimeout(PAUSE);
    const again = await shoot();
    const still = again.equals(picture);
    picture = again;
    if (RECORDING && still) break;
  }
  if (RECORDING && !varies) {
    record(name, picture, chromium);
    record(LETTERS, await shootLetters(page), chromium);
  }
  if (FOLDER) {
    mkdirSync(FOLDER, { recursive: true });
    await writeFile(join(FOLDER, `${name}.png`), picture);
  }
  return difference;
}

/** Why this machine's pictures are not like the recorded ones, whatever the page looks like. */
async function incomparable(page: Page, chromium: string): Promise<string | undefined> {
  const by = recordedBy();
  if (by !== chromium) return `Chromium ${by} has recorded them, and this is ${chromium}`;
  machine ??= shootLetters(page).then((letters) => differenceOf(LETTERS, letters));
  return (await machine) && "this machine draws letters in another way than the one that has recorded them";
}

let machine: Promise<string | undefined> | undefined;

/** Letters alone, in the two fonts and in the system's, in a page of their own. */
async function shootLetters(page: Page): Promise<Buffer> {
  const context = await page
    .context()
    .browser()!
    .newContext({ viewport: { width: 480, height: 240 } });
  try {
    const sheet = await context.newPage();
    const said = "Sphinx of black quartz, judge my vow: äöüß „“ … · ⟨⟩ ↑↓";
    const line = (family: string, size: number) =>
      `<p style="margin: 4px; font: ${size}px var(--${family})">${said}</p>`;
    await sheet.setContent(
      ["sans", "mono"].flatMap((family) => [13, 16, 24].map((size) => line(family, size))).join(""),
    );
    return await dressed(sheet, () => sheet.screenshot({ scale: "css", animations: "disabled" }));
  } finally {
    await context.close();
  }
}

/**
 * What is wrong with the layout of what is shown, in words: the document or the open dialog scrolls sideways, something to press is less than 24
 * pixels high or wide (WCAG 2.5.8), or a text that is not meant to be cut off is.
 */
function faultsOf(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const faults: string[] = [];
    const top = document.querySelector("dialog:modal") ?? document.body;
    for (const root of [document.documentElement, top])
      if (root.scrollWidth > root.clientWidth + 1)
        faults.push(`${root.localName} scrolls sideways by ${root.scrollWidth - root.clientWidth}`);
    const shown = (element: Element) =>
      element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
    const named = (element: Element) =>
      `${element.localName} “${(element.textContent ?? "").trim().slice(0, 40)}”`;
    for (const target of top.querySelectorAll("button, select, input:not([type=file]), a[href], summary")) {
      if (!shown(target)) continue;
      // A link within a sentence is as high as its line, and a box is pressed by its label too.
      if (target.matches("p a, .unseen *, .skip, input[type=checkbox]")) continue;
      const { width, height } = target.getBoundingClientRect();
      if (width < 24 || height < 24)
        faults.push(`${named(target)} is ${Math.round(width)} by ${Math.round(height)}`);
    }
    for (const text of top.querySelectorAll("p, h1, h2, h3, button, label, dt, dd, li > *, .meta")) {
      if (!shown(text) || text.matches(".unseen, .unseen *, .skip")) continue;
      const { overflowX, textOverflow } = getComputedStyle(text);
      // An ellipsis says that there is more.
      if (overflowX !== "visible" && textOverflow !== "ellipsis" && text.scrollWidth > text.clientWidth + 1)
        faults.push(`${named(text)} is cut off`);
    }
    return faults;
  });
}
