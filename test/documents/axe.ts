/** What axe-core finds wrong with a page for people who see, hear or move otherwise (WCAG 2.2 AA). */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Frame, Page } from "playwright";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

type Axe = {
  run(
    context: Element,
    options: object,
  ): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
};

/** Each violation by its rule, with where it is; of the open dialog where there is one. */
export async function violationsOf(page: Page | Frame): Promise<string[]> {
  await page.evaluate(SOURCE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: Axe };
    const root = document.querySelector("dialog:modal") ?? document.body;
    const values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const { violations } = await axe.run(root, { runOnly: { type: "tag", values }, iframes: false });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
  });
}

/** The same on a phone and on a desk, in both themes; `name` says where. `frame`: one of the page, in place of the page. */
export async function violationsAtAll(
  page: Page,
  name: string,
  frame: Page | Frame = page,
): Promise<string[]> {
  const found: string[] = [];
  for (const width of [360, 1280])
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const violation of await violationsOf(frame))
        found.push(`${name}, ${width}, ${colorScheme}: ${violation}`);
    }
  return found;
}
