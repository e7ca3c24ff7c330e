import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { parseHeader, readBreaks } from "./index.ts";

it("reads the header of a break, and refuses one that names no test", () => {
  const text = "Breaks: all\nGuard: test/a.test.ts\nTest: M3 x\n\ndiff --git a/b b/b\n";
  expect(parseHeader("n", text)).toEqual({ breaks: "all", guard: "test/a.test.ts", test: "M3 x" });
  expect(() => parseHeader("n", text.replace("Test: M3 x\n", ""))).toThrow("Test:");
  expect(() => parseHeader("n", "Breaks: all\n")).toThrow("no diff");
});

it("finds every break in a room, and its guard", () => {
  const breaks = readBreaks();
  expect(breaks.length).toBeGreaterThan(0);
  for (const { name, room, guard, test } of breaks) {
    expect(room, name).toMatch(/^[a-z-]+$/);
    expect(existsSync(new URL(`../../${guard}`, import.meta.url)), `${name}: ${guard}`).toBe(true);
    // Whether a test has that name, only vitest can say (`it.each` makes names): run.ts reports where none ran.
    expect(() => new RegExp(test), name).not.toThrow();
  }
});
