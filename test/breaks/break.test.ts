import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseBreak } from "./index.ts";

it("reads the header of a break, and refuses one that names no test", () => {
  const text = "Breaks: all\nGuard: test/a.test.ts\nTest: M3 x\n\ndiff --git a/b b/b\n";
  expect(parseBreak("n", text)).toEqual({ name: "n", breaks: "all", guard: "test/a.test.ts", test: "M3 x" });
  expect(() => parseBreak("n", text.replace("Test: M3 x\n", ""))).toThrow("Test:");
  expect(() => parseBreak("n", "Breaks: all\n")).toThrow("no diff");
});

it("finds the guard of every break", () => {
  const folder = new URL(".", import.meta.url);
  const patches = readdirSync(folder).filter((name) => name.endsWith(".patch"));
  expect(patches.length).toBeGreaterThan(0);
  for (const file of patches) {
    const { guard, test } = parseBreak(file, readFileSync(new URL(file, folder), "utf8"));
    expect(existsSync(new URL(`../../${guard}`, folder)), `${file}: ${guard}`).toBe(true);
    // Whether a test has that name, only vitest can say (`it.each` makes names): run.ts reports where none ran.
    expect(() => new RegExp(test), file).not.toThrow();
  }
});
