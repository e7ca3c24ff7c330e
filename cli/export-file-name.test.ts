import { expect, it } from "vitest";
import { exportFileName } from "./export-file-name.ts";

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
