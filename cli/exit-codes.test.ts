import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { EXIT_CODES, exitCodeLines } from "./exit-codes.ts";

it("the table in the documents is that of the command", () => {
  const text = readFileSync(new URL("../docs/operations.md", import.meta.url), "utf8");
  const [, table = ""] = /^\| exit code \| meaning \|\n\| --- \| --- \|\n((?:\|.*\n)+)/m.exec(text) ?? [];
  expect(table).toBe(EXIT_CODES.map(({ code, means }) => `| ${code} | ${means} |\n`).join(""));
});

it("each code is there once, as a shell can see it", () => {
  const codes = EXIT_CODES.map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.every((code) => Number.isInteger(code) && code >= 0 && code < 256)).toBe(true);
  expect(exitCodeLines().trimEnd().split("\n")).toHaveLength(codes.length);
});
