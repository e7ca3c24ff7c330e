/**
 * A page as it looks in every run: with the fonts beside this file, and one time, number and id in the place of each. Its look is what is left. Fonts come
 * in as bytes, so that the page's policy has nothing to say of them.
 */

import { readFileSync } from "node:fs";
import type { Page } from "playwright";

/** The page's two families of fonts, as `tokens.css` names them. */
const FONTS = [
  { property: "--sans", family: "Shipped Sans", weight: "100 900", file: "inter.woff2" },
  { property: "--mono", family: "Shipped Mono", weight: "400", file: "plex-mono.woff2" },
].map((font) => ({
  ...font,
  bytes: readFileSync(new URL(`fonts/${font.file}`, import.meta.url)).toString("base64"),
}));

const MONTHS = "Jan|Feb|Mar|März|Mär|Apr|May|Mai|Jun|Jul|Aug|Sep|Sept|Oct|Okt|Nov|Dec|Dez";
/** What is another in each run, and what stands there instead. In this order. */
const UNSTEADY: readonly (readonly [what: RegExp, instead: string])[] = [
  // Ids, addresses and digests, whole or cut short.
  [/\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b/g, "00000000-0000-4000-8000-000000000000"],
  [/[\w+/=-]{4,12}…[\w+/=-]{4,12}/g, "000000…000000"],
  [/(?<![\w-])(?=[\w-]*\d)[\w-]{20,}(?![\w-])/g, "0000000000000000000000"],
  [/\b(?=[a-f]*\d)[\da-f]{8}\b/g, "00000000"],
  // Moments.
  [new RegExp(`\\b(?:${MONTHS})[a-z]*\\b`, "g"), "Jan"],
  [/\b(?:today|yesterday|tomorrow)\b/g, "today"],
  [/\b(?:heute|gestern|morgen)\b/g, "heute"],
  [/\b\d{1,2}:\d\d(?::\d\d)?(?:\s?[AP]M)?/g, "00:00"],
  [/\d+[.,]\d+|(?!0+(?!\d))\d+/g, "00"],
];

/** Does the work while the page looks so; then it is as before. */
export async function dressed<T>(page: Page, work: () => Promise<T>): Promise<T> {
  const rules = UNSTEADY.map(([{ source, flags }, instead]) => ({ source, flags, instead }));
  const undress = await page.evaluateHandle(
    async ({ fonts, rules }) => {
      const { style } = document.documentElement;
      for (const { property, family, weight, bytes } of fonts) {
        if (![...document.fonts].some((face) => face.family.includes(family)))
          document.fonts.add(
            await new FontFace(
              family,
              Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0)),
              { weight },
            ).load(),
          );
        style.setProperty(property, `"${family}"`);
      }
      const changed: [Text, was: string, is: string][] = [];
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
        const { data } = text as Text;
        let steady = data;
        for (const { source, flags, instead } of rules)
          steady = steady.replace(new RegExp(source, flags), instead);
        if (steady === data) continue;
        (text as Text).data = steady;
        changed.push([text as Text, data, steady]);
      }
      return () => {
        for (const { property } of fonts) style.removeProperty(property);
        // What the page has written meanwhile stays.
        for (const [text, was, is] of changed) if (text.data === is) text.data = was;
      };
    },
    { fonts: FONTS, rules },
  );
  try {
    return await work();
  } finally {
    await undress.evaluate((undo) => undo());
    await undress.dispose();
  }
}
