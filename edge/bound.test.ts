import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { configuredBound } from "./bound.ts";

beforeEach(() => vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(() => vi.restoreAllMocks());

it("is what is configured, or the default where nothing is", () => {
  expect(configuredBound("X", "64", 5)).toBe(64);
  expect(configuredBound("X", "9007199254740991", 5)).toBe(Number.MAX_SAFE_INTEGER);
  expect(configuredBound("X", undefined, 5)).toBe(5);
});

it.each([
  ...["", " ", "0", "-1", "many", "1e3", "0x10", " 12", "12 ", "12.5", "1_000", "1,000", "20GB", "NaN"],
  ...["Infinity", "null", "undefined", "true", "007", "+5", "9".repeat(20), "9007199254740993", "٣"],
])("is refused when it is mistyped: %j", (text) => {
  expect(() => configuredBound("COFFER_X", text, 5)).toThrow("COFFER_X is not a whole number");
});
