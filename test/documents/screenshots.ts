/** Pictures of a view on a phone and on a desk, light and dark; and what has to hold of its layout in each. */

import { join } from "node:path";
import type { Page } from "playwright";
import { expect } from "vitest";
import { violationsOf } from "./axe.ts";

const FOLDER = process.env.COFFER_SCREENSHOTS;
const WIDTHS = [360, 1280];
const THEMES = ["light", "dark"] as const;

/** Holds the layout at each width in each theme, and writes pictures where a folder is named for them (`npm run screenshots`). */
export async function shootViews(page: Page, name: string): Promise<void> {
  const before = page.viewportSize();
  for (const width of WIDTHS)
    for (const colorScheme of THEMES) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const where = `${name} at ${width}, ${colorScheme}`;
      expect.soft(await faultsOf(page), where).toEqual([]);
      expect.soft(await violationsOf(page), where).toEqual([]);
      if (FOLDER) await page.screenshot({ path: join(FOLDER, `${name}-${width}-${colorScheme}.png`) });
    }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  if (before) await page.setViewportSize(before);
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
