import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { exportFileName } from "./export-file-name.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-names-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function names(...given: string[]): string[] {
  const taken = new Set<string>();
  return given.map((name) => exportFileName({ id: "id", metadata: { name, type: "", size: 0 } }, taken));
}

it("gives every document a file of its own", () => {
  expect(names("a.txt", "A.txt", "a.txt")).toEqual(["a.txt", "A (2).txt", "a (3).txt"]);
});

it("lets no name out of the folder", () => {
  expect(names("../../etc/passwd", "..", ".bashrc", "a\0b", "c:\\d")).toEqual([
    "__.._etc_passwd",
    "_",
    "_bashrc",
    "a_b",
    "c__d",
  ]);
});

it("names by id what has no name", () => {
  expect(exportFileName({ id: "5a" }, new Set())).toBe("5a");
});

it.each([
  ["an option or a hidden file", ["-", "-rf x", "  .profile"], ["_", "_rf x", "_profile"]],
  [
    "a device of Windows",
    ["CON", "nul.txt", "com¹.log", "Lpt9 .x"],
    ["_CON", "_nul.txt", "_com¹.log", "_Lpt9 .x"],
  ],
  ["a dot or blank at the end", ["a.", "b . . ", "c\u00a0"], ["a_", "b_", "c_"]],
  [
    "a direction that hides the ending",
    ["x\u202egnp.exe", "y\u2066z", "a\u200fb"],
    ["x_gnp.exe", "y_z", "a_b"],
  ],
  ["characters of no width", ["a\u200bb", "\ufeffx", "q\u3164r"], ["a_b", "_x", "q_r"]],
  ["controls and half characters", ["a\nb\tc", "d\u009be", "f\ud800g"], ["a_b_c", "d_e", "f_g"]],
  ["what Windows takes in no name", ['a*b?.txt"', "<c>|d"], ["a_b_.txt_", "_c__d"]],
])("makes a name of %s savable", (_, given, expected) => {
  expect(names(...given)).toEqual(expected);
});

it("keeps apart what a file system takes for one name: case, normal form, compatible letters", () => {
  expect(names("caf\u00e9", "cafe\u0301", "CAFÉ", "straße", "STRASSE", "x\u2060y", "x_y")).toEqual([
    "café",
    "café (2)",
    "CAFÉ (3)",
    "straße",
    "STRASSE (2)",
    "x_y",
    "x_y (2)",
  ]);
});

it("cuts a long name to 255 bytes between characters, and keeps its ending and its number", () => {
  const [one, two, three] = names(`${"é".repeat(200)}.pdf`, `${"é".repeat(200)}.pdf`, `${"x".repeat(300)}.`);
  expect(one).toBe(`${"é".repeat(125)}.pdf`);
  expect(two).toBe(`${"é".repeat(123)} (2).pdf`);
  expect(three).toBe("x".repeat(255));
  const emoji = exportFileName(
    { id: "id", metadata: { name: "😀".repeat(100), type: "", size: 0 } },
    new Set(),
    ".esdk",
  );
  expect(emoji).toBe(`${"😀".repeat(62)}.esdk`);
});

it.each(["CON", "nul", "com1"])(
  "leaves no device of Windows where a long name that begins like %s is cut",
  (device) => {
    for (const blank of [" ", "\u3000"])
      for (const ending of ["", ".txt"]) {
        const [name] = names(`${device}${blank.repeat(300)}x${ending}`);
        expect(name).toMatch(new RegExp(`^_${device}\\s*(\\.txt)?$`));
        expect(Buffer.byteLength(name!)).toBeLessThanOrEqual(255);
      }
  },
);

it("any names whatever can be written side by side, each in its own file of the folder", () => {
  const hard = fc.constantFrom(
    "",
    ".",
    "-",
    " ",
    "/",
    "\\",
    "\0",
    "\ud800",
    "\u202e",
    "é",
    "e\u0301",
    "ß",
    "A",
    "a",
    "CON",
    "😀",
  );
  const name = fc
    .array(fc.oneof(hard, fc.string({ unit: "binary" })), { maxLength: 60 })
    .map((parts) => parts.join(""));
  let round = 0;
  fc.assert(
    fc.property(fc.array(name, { maxLength: 12 }), (given) => {
      const made = names(...given);
      expect(new Set(made.map((one) => one.normalize("NFKD").toLowerCase())).size).toBe(given.length);
      for (const one of made) {
        expect(one).not.toMatch(/^[.\s-]|[.\s]$|[/\\:\p{Cc}\p{Cf}\p{Cs}]/u);
        expect(Buffer.byteLength(one)).toBeLessThanOrEqual(255);
      }
      // On the disk some of them: each round takes a folder.
      if (round++ > 20) return;
      const into = mkdtempSync(join(folder, "round-"));
      for (const one of made) writeFileSync(join(into, one), "", { flag: "wx" });
      expect(readdirSync(into).toSorted()).toEqual(made.toSorted());
    }),
    { numRuns: 80 },
  );
}, 60_000);
