import { expect, it } from "vitest";
import type { Document } from "#web/browser/index.ts";
import { comparableName, nameInWords, shownName } from "./names.ts";
import { found, ORDERS, ordered } from "./order.ts";

it("spells out what nobody sees in a name, and leaves every script as it is", () => {
  expect(shownName("invoice\u200b.pdf")).toBe("invoice⟨U+200B⟩.pdf");
  expect(shownName("pay\u00adpal.txt")).toBe("pay⟨U+00AD⟩pal.txt");
  expect(shownName("cv\u202efdp.exe")).toBe("cv⟨U+202E⟩fdp.exe");
  expect(shownName("a\u0007b")).toBe("a⟨U+0007⟩b");
  expect(shownName("a\ud800b")).toBe("a⟨U+D800⟩b");
  expect(shownName("\u3164.txt")).toBe("⟨U+3164⟩.txt");
  expect(shownName("a\u200db")).toBe("a⟨U+200D⟩b");
  const plain = [
    "Übersicht 2026.pdf",
    "می‌خواهم.txt",
    "👩‍👧.png",
    "❤️.gif",
    "क्‍ष.md",
    "報告 書.docx",
    "דוח.pdf",
  ];
  for (const name of plain) expect(shownName(name)).toBe(name);
});

it("bounds what stands above a letter", () => {
  expect(shownName(`a${"\u0301".repeat(40)}.txt`)).toBe(`a${"\u0301".repeat(4)}.txt`);
});

it("keeps a name that runs from right to left to itself within a sentence, and no other", () => {
  expect(nameInWords("דוח.pdf")).toBe("\u2068דוח.pdf\u2069");
  expect(nameInWords("تقرير")).toBe("\u2068تقرير\u2069");
  expect(nameInWords("report.pdf")).toBe("report.pdf");
  // An end of the isolate within it is spelled out, and ends nothing.
  expect(nameInWords("דוח\u2069")).toBe("\u2068דוח⟨U+2069⟩\u2069");
});

it("compares a name by what is seen of it, however it is composed", () => {
  expect(comparableName("Mu\u0308ll.TXT")).toBe(comparableName("müll.txt"));
  expect(comparableName("in\u200bvoice")).toBe("invoice");
});

const named = (name: string, size: number, folder?: string): Document => ({
  id: name,
  account: "a",
  created: new Date(0),
  sealedSize: size + 100,
  metadata: { name, type: "text/plain", size, ...(folder !== undefined && { folder }) },
});
const names = (documents: readonly Document[]) => documents.map(({ id }) => id);

it("finds names by their words in any order, by folder too, composed or not", () => {
  const all = [named("Steuer 2025.pdf", 1), named("Mu\u0308ll.txt", 2), named("plan.txt", 3, "Häuser/Süd")];
  expect(names(found(all, "2025 steu"))).toEqual(["Steuer 2025.pdf"]);
  expect(names(found(all, "MÜLL"))).toEqual(["Mu\u0308ll.txt"]);
  expect(names(found(all, "häuser"))).toEqual(["plan.txt"]);
  expect(found(all, "  ")).toBe(all);
  expect(found([{ ...named("x", 1), metadata: undefined }], "x")).toEqual([]);
});

it("orders by time, name and size, numbers by their value, and what has no name last", () => {
  const unnamed = { ...named("?", 5), metadata: undefined };
  const all = [
    named("b10", 3),
    unnamed,
    named("b2", 9),
    named("A\u0308rger", 1),
    named("Ärger", 1),
    named("z", 2),
  ];
  const shares = ({ metadata }: Document) => ({ z: 1, b2: 3 })[metadata?.name ?? ""] ?? 0;
  const means = { locale: "de", shares };
  const by = Object.fromEntries(ORDERS.map((order) => [order, names(ordered(all, order, means))]));
  expect(by.newest).toEqual(names(all));
  expect(by.oldest).toEqual(names(all).reverse());
  expect(by.name).toEqual(["A\u0308rger", "Ärger", "b2", "b10", "z", "?"]);
  expect(by["name-back"]).toEqual(["z", "b10", "b2", "A\u0308rger", "Ärger", "?"]);
  expect(by.largest?.[0]).toBe("?");
  expect(by.smallest?.at(-1)).toBe("?");
  expect(by.shared).toEqual(["b2", "z", "b10", "?", "A\u0308rger", "Ärger"]);
});
