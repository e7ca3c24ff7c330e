import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

/** `docs/decisions`: each page says in what context a choice was made, the choice, and what it costs. */
const folder = new URL("../docs/decisions/", import.meta.url);
const pages = readdirSync(folder).toSorted();

/** Headings and bold leads of paragraphs, in their order. */
function partsOf(text: string): string[] {
  return [...text.matchAll(/^(?:#+ .*|\*\*[^*]+\*\*)/gm)].map(([part]) => part);
}

describe("docs/decisions", () => {
  it("numbers its pages without a gap", () => {
    const numbers = pages.map((page) => /^(\d{4})-[a-z0-9-]+\.md$/.exec(page)?.[1]);
    expect(numbers).toEqual(pages.map((_, i) => String(i + 1).padStart(4, "0")));
  });

  it.each(pages)("%s has context, choice and cost, and no other part", (page) => {
    const text = readFileSync(new URL(page, folder), "utf8");
    const [title, ...parts] = partsOf(text);
    expect(title).toMatch(new RegExp(`^# ${page.slice(0, 4)}: .`));
    expect(parts).toEqual(["**Context.**", "**Choice.**", "**Cost.**"]);
  });
});
