import { expect, it } from "vitest";
import {
  formatBytes,
  formatKind,
  formatLeft,
  formatMeasurement,
  formatMoment,
  formatRemaining,
  formatWait,
} from "./format.ts";
import { Pace } from "./pace.ts";
import { isPdf, previewOf } from "./preview.ts";

it("writes sizes as people do", () => {
  const written = [0, 1, 999, 1000, 12_345, 999_499, 999_999, 1_240_000, 123_456_789, 1_073_741_824].map(
    (size) => formatBytes(size, "en"),
  );
  expect(written).toEqual([
    "0 bytes",
    "1 byte",
    "999 bytes",
    "1 kB",
    "12 kB",
    "999 kB",
    "1 MB",
    "1.2 MB",
    "123 MB",
    "1.1 GB",
  ]);
});

it("says that the server asks to wait, in whole seconds and never fewer", () => {
  expect(formatWait(12_001)).toBe("The server asks to wait 13 s …");
});

it("rounds the time left to what can be known", () => {
  expect([0.4, 3.2, 12, 80, 4000].map(formatLeft)).toEqual([
    "almost done",
    "4 s left",
    "15 s left",
    "1 min left",
    "1.1 h left",
  ]);
});

it("tells days by their names near today", () => {
  const now = new Date(2030, 5, 15, 12);
  expect(formatMoment(new Date(2030, 5, 15, 9, 5), now, "en-GB")).toBe("today, 09:05");
  expect(formatMoment(new Date(2030, 5, 14, 23), now, "en-GB")).toBe("yesterday, 23:00");
  expect(formatMoment(new Date(2030, 0, 2), now, "en-GB")).toBe("2 Jan");
  expect(formatMoment(new Date(2029, 0, 2), now, "en-GB")).toBe("2 Jan 2029");
  expect(formatMoment(new Date(Number.NaN), now)).toBe("");
});

it("shortens measurements and names kinds", () => {
  expect(formatMeasurement("sha384-abcdefghijklmnopqrstuvwxyz")).toBe("abcdef…uvwxyz");
  expect(formatKind("a.pdf", "")).toBe("PDF");
  expect(formatKind("photo", "image/png")).toBe("IMAG");
  expect(formatKind("x", "application/x-y")).toBe("FILE");
});

it("knows the time left after a second of steady progress", () => {
  const pace = new Pace();
  expect(pace.left(0, 1000, 0)).toBeUndefined();
  expect(pace.left(50, 1000, 500)).toBeUndefined();
  expect(pace.left(100, 1000, 1000)).toBeCloseTo(9, 5);
  expect(pace.left(200, 1000, 2000)).toBeCloseTo(8, 5);
});

it("never shows as itself what could carry a script", async () => {
  const size = 10;
  expect(previewOf({ name: "a.svg", type: "image/svg+xml", size })).toBe("text");
  expect(previewOf({ name: "a.html", type: "text/html", size })).toBe("text");
  expect(previewOf({ name: "a.xhtml", type: "application/xhtml+xml", size })).toBe("text");
  expect(previewOf({ name: "a.svg", type: "application/octet-stream", size })).toBe("text");
  expect(previewOf({ name: "a.png", type: "image/png", size })).toBe("image");
  expect(previewOf({ name: "a.mp4", type: "video/mp4", size: 1e12 })).toBe("video");
  expect(previewOf({ name: "a.flac", type: "audio/flac", size: 1e12 })).toBe("audio");
  expect(previewOf({ name: "a.pdf", type: "application/pdf", size })).toBe("pdf");
  expect(previewOf({ name: "a.png", type: "image/png", size: 1e9 })).toBe("large");
  expect(previewOf({ name: "a.exe", type: "application/x-msdownload", size })).toBe("none");
  expect(await isPdf(new Blob(["%PDF-1.7"]))).toBe(true);
  expect(await isPdf(new Blob(["<html>"]))).toBe(false);
});

it.each([
  [59, "in 59 minutes"],
  [119, "in 119 minutes"],
  [23 * 60 + 59, "in 23 hours"],
  [72 * 60, "in 3 days"],
  [-5, "5 minutes ago"],
])("says how far off %i minutes are", (minutes, words) => {
  const now = new Date("2026-03-01T12:00:00Z");
  expect(formatRemaining(new Date(now.getTime() + minutes * 60_000), now, "en")).toBe(words);
});
