import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readBreaks } from "#test/breaks/index.ts";

/** `docs/hardening.md`: kind of fault, tests, breaks. */
const root = new URL("../", import.meta.url);
const patches = readBreaks().map(({ name }) => name);
const rows = readFileSync(new URL("docs/hardening.md", root), "utf8")
  .split("\n")
  .filter((line) => /^\| [ABC]\d/.test(line))
  .map((line) => line.replaceAll("\\|", "\0").split("|").slice(1, -1))
  .map((cells) => cells.map((cell) => cell.replaceAll("\0", "|").trim()))
  .map(([id, kind, tests, breaks]) => ({ id: id!, kind: kind!, tests: list(tests), breaks: list(breaks) }));

function list(cell = ""): string[] {
  return cell
    .split(";")
    .map((one) => one.trim())
    .filter(Boolean);
}

/** `file › name; another name; other file › name`: a name without a file belongs to the file before it. */
function testsOf(cell: string[]): { file: string; name: string }[] {
  let file = "";
  return cell.map((entry) => {
    const [first, ...rest] = entry.split(" › ");
    if (rest.length > 0) file = first!;
    return { file, name: rest.length > 0 ? rest.join(" › ") : first! };
  });
}

describe("docs/hardening.md", () => {
  it("has a row for every kind of fault", () => {
    const of = (letter: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
    const expected = [...of("A", 9), ...of("B", 12), ...of("C", 11)];
    expect([...new Set(rows.map(({ id }) => id))].toSorted()).toEqual(expected.toSorted());
  });

  it.each(rows)("names tests and breaks that are there: $id, $kind", ({ tests, breaks }) => {
    expect(tests.length).toBeGreaterThan(0);
    for (const { file, name } of testsOf(tests)) {
      expect(existsSync(new URL(file, root)), file).toBe(true);
      expect(readFileSync(new URL(file, root), "utf8"), file).toContain(name);
    }
    expect(breaks.length).toBeGreaterThan(0);
    for (const name of breaks) expect(patches, name).toContain(name);
  });
});
