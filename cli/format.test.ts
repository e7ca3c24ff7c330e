import { expect, it } from "vitest";
import { formatBytes, formatDuration } from "./format.ts";

it("writes bytes in the unit that fits", () => {
  expect([0, 999, 1000, 1_500_000, 123_456_789, 2 ** 30].map(formatBytes)).toEqual([
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "1.5 MB",
    "123 MB",
    "1.1 GB",
  ]);
});

it("writes durations as people say them", () => {
  expect([0, 59.4, 125, 3780].map(formatDuration)).toEqual(["0 s", "59 s", "2 min 5 s", "1 h 3 min"]);
});
