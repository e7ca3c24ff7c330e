import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type ProblemCode, problems } from "#protocol/contract/problems.ts";
import { KIT_CODES } from "#protocol/error.ts";
import { CofferError, messageOf } from "#web/browser/index.ts";
import { GERMAN } from "./german.ts";
import { localeFor, preferred, t } from "./words.ts";

const here = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
const table: Readonly<Record<string, string>> = GERMAN;

/** The sentences of the page's document, as `speak` finds them there: texts, and what attributes say. */
function sentencesOf(html: string): string[] {
  const body = html.slice(html.indexOf("<body>")).replaceAll(/<(svg|code)\b.*?<\/\1>/gs, "");
  const said = [...body.matchAll(/\s(?:aria-label|title|placeholder|label)="([^"]+)"/g)].map(
    ([, words]) => words,
  );
  const texts = body
    .split(/<[^>]*>/)
    .map((text) => text.replaceAll("&nbsp;", "\u00a0").replaceAll(/\s+/g, " ").trim());
  return [...said, ...texts].filter((words) => words !== undefined && /\p{L}{2}/u.test(words)) as string[];
}

/** Names of the thing itself and of languages, the same in each. */
const SAME = new Set(["Coffer", "English", "Deutsch"]);

it("has every sentence of the page's document in German", () => {
  const sentences = sentencesOf(here("index.html"));
  expect(sentences.length).toBeGreaterThan(150);
  expect(sentences.filter((words) => table[words] === undefined && !SAME.has(words))).toEqual([]);
});

it("has a sentence in German for each code, and for each status of a code that it does not know", () => {
  const known = [...KIT_CODES, ...(Object.keys(problems) as ProblemCode[])].map(
    (code) => new CofferError(code),
  );
  const statuses = [400, 401, 403, 404, 409, 429, 500, 503].map(
    (status) => new CofferError(`http-${status}`, { status }),
  );
  const said = [...known, ...statuses, "no error of the kit's"].map(messageOf);
  expect(said.filter((words) => table[words] === undefined)).toEqual([]);
});

it("puts in German the same values in as in English, and leaves no sentence that nobody says", () => {
  const values = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(String).toSorted();
  for (const [english, german] of Object.entries(table)) {
    expect(values(german), english).toEqual(values(english));
    expect(german.trim()).not.toBe("");
  }
  const sources = readdirSync(new URL(".", import.meta.url)).filter(
    (name) => /(?<!\.test)\.ts$/.test(name) && name !== "german.ts",
  );
  const code = [...sources, "../client/error.ts", "../client/amiss.ts", "../client/upload-store.ts"]
    .map(here)
    .join("\n");
  const document = new Set(sentencesOf(here("index.html")));
  const unsaid = Object.keys(table).filter(
    (words) => !document.has(words) && !code.includes(JSON.stringify(words)),
  );
  expect(unsaid).toEqual([]);
});

it("says no sentence in the page's code that is in no table", () => {
  for (const name of readdirSync(new URL(".", import.meta.url))) {
    if (!/(?<!\.test)\.ts$/.test(name) || ["german.ts", "words.ts"].includes(name)) continue;
    // What is put straight into the page has letters in it only by way of `t`.
    const straight = [...here(name).matchAll(/(?:textContent|title|ariaLabel|alt) = (?:"|`)([^"`]*)/g)].map(
      ([, words]) => words,
    );
    expect(
      straight.filter((words) => /\p{L}{2}/u.test((words ?? "").replaceAll(/\$\{[^}]*\}/g, ""))),
      name,
    ).toEqual([]);
  }
});

it("puts values in, and speaks the first language of the reader that there is", () => {
  expect(t("{count} selected", { count: 3 })).toBe("3 selected");
  expect(preferred(["fr-FR", "de-AT", "en"])).toBe("de");
  expect(preferred(["en-GB", "de"])).toBe("en");
  expect(preferred(["fr"])).toBe("en");
  expect(preferred([])).toBe("en");
});

it("formats as the reader's own kind of the language does, and by none that is no locale", () => {
  expect(localeFor(["fr", "de-AT", "de"], "de")).toBe("de-AT");
  expect(localeFor(["en-US@posix", "en-GB"], "en")).toBe("en-GB");
  for (const tags of [["en-US@posix"], ["en_US.UTF-8"], ["C"], [""], []])
    expect(localeFor(tags, "en")).toBe("en");
});
