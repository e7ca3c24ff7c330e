import { expect, it } from "vitest";
import { clockAhead, clockSentence, retryAfter, spoken } from "./waiting.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const answer = (headers: Record<string, string>) => new Response(null, { headers });

it("reads Retry-After in both its forms", () => {
  const wait = (text: string, more = {}) => retryAfter(answer({ "retry-after": text, ...more }), NOW);
  expect(retryAfter(answer({}), NOW)).toBeUndefined();
  expect(wait("0")).toBe(0);
  expect(wait("120")).toBe(120_000);
  expect(wait("Sun, 22 Nov 2026 12:00:30 GMT")).toBe(30_000);
  // By the server's clock, when this one is wrong.
  const date = "Sun, 22 Nov 2026 11:59:30 GMT";
  expect(wait("Sun, 22 Nov 2026 12:00:30 GMT", { date })).toBe(60_000);
  expect(wait("Sun, 22 Nov 2020 12:00:30 GMT")).toBe(0);
  for (const text of ["soon", "-1", "1e3", "9999999999999", "NaN", "", "Mon, 30 Feb 2026 00:00:00 GMT"])
    expect(wait(text), text).toBeUndefined();
});

it("knows how far the clock is off, where the server says", () => {
  expect(clockAhead(answer({ date: "Sun, 22 Nov 2026 11:53:00 GMT" }), NOW)).toBe(420_000);
  expect(clockAhead(answer({}), NOW)).toBeUndefined();
  expect(clockAhead(answer({ date: "yesterday" }), NOW)).toBeUndefined();
});

it("speaks of a clock only that is beyond the tolerance", () => {
  for (const right of [undefined, 0, 60_000, -290_000, Number.NaN])
    expect(clockSentence(right)).toBeUndefined();
  expect(clockSentence(-300_000)).toContain("5 minutes behind");
  expect(clockSentence(7_200_000)).toContain("2 hours ahead of");
});

it("speaks of times in words", () => {
  expect([900, 1000, 59_000, 60_000, 3_600_000, 90_000_000].map(spoken)).toEqual([
    "1 second",
    "1 second",
    "59 seconds",
    "1 minute",
    "1 hour",
    "1 day",
  ]);
});
