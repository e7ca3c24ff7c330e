import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { findChromium } from "#cli/chromium.js";
import { findPython, findVectors, missingProgram } from "./missing.ts";

let dir: string;
const reasons = () =>
  existsSync(join(dir, "skipped")) ? readFileSync(join(dir, "skipped"), "utf8").trim().split("\n") : [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "coffer-missing-"));
  vi.stubEnv("COFFER_SKIPPED", join(dir, "skipped"));
  vi.stubEnv("PATH", dir);
  vi.stubEnv("CI", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

it("skips tests for lack of a program, and says which package brings it", () => {
  expect(missingProgram("strace")).toBe(true);
  expect(missingProgram("WebKitWebDriver", "webkit2gtk-driver")).toBe(true);
  expect(reasons()).toEqual([
    "strace is not installed (Debian: apt-get install strace)",
    "webkit2gtk-driver is not installed (Debian: apt-get install webkit2gtk-driver)",
  ]);
});

it("skips nothing for lack of a program in CI, where everything is installed", () => {
  vi.stubEnv("CI", "true");
  expect(missingProgram("strace")).toBe(false);
});

it("says where test vectors are looked for", () => {
  vi.stubEnv("COFFER_VECTORS", dir);
  expect(findVectors("none")).toBeUndefined();
  expect(reasons()).toEqual([
    `${join(dir, "none")} is absent: COFFER_VECTORS names the folder of the test vectors`,
  ]);
});

it("finds programs by PATH alone", () => {
  expect(findPython("pass")).toBeUndefined();
  expect(findChromium({ PATH: dir, CHROMIUM_PATH: process.execPath })).toBe(process.execPath);
  expect(findChromium({ PATH: dir }) ?? "").not.toMatch(/^\/usr/);
});
