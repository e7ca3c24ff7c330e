/**
 * The page's words. English stands in the code and in index.html and is the name of each sentence; another language is a table by it (german.ts),
 * which is loaded only for those who read it. What stands in no table is a mistake that the compiler finds, and for index.html a test.
 */

import { choice, keepChoice } from "./choices.ts";
import type { GERMAN } from "./german.ts";

/** A sentence as it stands in the tables. `{name}` in it is put in where it is said. */
export type Words = keyof typeof GERMAN;
export type Language = "en" | "de";

const LANGUAGES: readonly Language[] = ["en", "de"];
const CHOSEN = "coffer-language";

let table: Readonly<Record<string, string>> = {};
let language: Language = "en";
/** For dates and numbers: the reader's own kind of the page's language. */
let locale: string | undefined;

/** A sentence in the reader's language. */
export function t(words: Words, values: Readonly<Record<string, string | number>> = {}): string {
  return fill(table[words] ?? words, values);
}

/** What stands for a name in a table; the name itself where nothing does. */
export function wordFor(names: Readonly<Record<string, Words>>, name: string): string {
  const words = names[name];
  return words === undefined ? name : t(words);
}

/** A sentence that another part has made, the kit say: as it is where no table has it. */
export function translated(words: string): string {
  return table[words] ?? words;
}

export function languageOfPage(): Language {
  return language;
}

export function localeOfPage(): string | undefined {
  return locale;
}

/** Has the page speak the language that was chosen here, else the first of the reader's that there is. */
export async function speak(): Promise<void> {
  const wanted = navigator.languages;
  language = chosen() ?? preferred(wanted);
  locale = localeFor(wanted, language);
  table = language === "de" ? (await import("./german.ts")).GERMAN : {};
  document.documentElement.lang = language;
  if (language === "en") return;
  translate(document);
  for (const template of document.querySelectorAll("template")) translate(template.content);
}

/** Keeps the choice in this browser. The page is loaded anew to speak it. */
export function choose(wanted: Language): void {
  keepChoice(CHOSEN, wanted);
}

/** The first of a reader's languages that there is. */
export function preferred(tags: readonly string[]): Language {
  for (const tag of tags) {
    const found = LANGUAGES.find((each) => each === baseOf(tag));
    if (found) return found;
  }
  return "en";
}

/** The reader's own kind of a language. A browser without a locale of its own may name one that is none ("en-US@posix"). */
export function localeFor(tags: readonly string[], language: Language): string {
  return tags.find((tag) => baseOf(tag) === language && isLocale(tag)) ?? language;
}

function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** The sentences of a document: its texts, and the attributes that are read or said. */
function* sentencesOf(root: Node): Generator<{ words: string; say: (words: string) => void }> {
  for (const node of root.childNodes) {
    if (node instanceof Text) {
      const words = node.data.replace(/\s+/g, " ").trim();
      // The spaces around a piece belong to the sentence that it is a piece of.
      const say = (said: string) => {
        node.data = `${/^\s/.test(node.data) ? " " : ""}${said}${/\s$/.test(node.data) ? " " : ""}`;
      };
      if (/\p{L}{2}/u.test(words)) yield { words, say };
    } else if (node instanceof Element && !SILENT.has(node.localName)) {
      for (const name of SAID) {
        const words = node.getAttribute(name);
        if (words) yield { words, say: (said) => node.setAttribute(name, said) };
      }
      yield* sentencesOf(node);
    }
  }
}

const SILENT: ReadonlySet<string> = new Set(["script", "style", "code", "template"]);
const SAID = ["aria-label", "title", "placeholder", "label"];

function translate(root: Node): void {
  for (const { words, say } of [...sentencesOf(root)]) {
    const said = table[words];
    if (said !== undefined) say(said);
  }
}

function chosen(): Language | undefined {
  const kept = choice(CHOSEN);
  return LANGUAGES.find((each) => each === kept);
}

function baseOf(tag: string): string {
  return tag.split("-", 1)[0]?.toLowerCase() ?? "";
}

function fill(words: string, values: Readonly<Record<string, string | number>>): string {
  return words.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
