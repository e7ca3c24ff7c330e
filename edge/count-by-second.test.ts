import { expect, it } from "vitest";
import { CountBySecond } from "./count-by-second.ts";

const NOW = 1_800_000_000;

it("counts what was in the window, forgets what has left it, and leaves out what is still to come", () => {
  const counts = new CountBySecond(10);
  counts.add(NOW, 2);
  counts.add(NOW + 3, 1);
  counts.add(NOW + 3, 4);
  counts.add(NOW + 8, 1);
  expect([NOW, NOW + 3, NOW + 8, NOW + 9].map((now) => counts.within(now))).toEqual([2, 7, 8, 8]);
  expect(counts.within(NOW + 10)).toBe(6);
  // Its clock was set back: what had left does not come again.
  expect(counts.within(NOW + 4)).toBe(5);
});

it("says when the one was there that has so many after it", () => {
  const counts = new CountBySecond(10);
  counts.add(NOW + 3, 2);
  counts.add(NOW, 2);
  counts.add(NOW + 5, 1);
  expect([1, 2, 3, 4, 5, 6].map((n) => counts.nthLast(n, NOW + 5))).toEqual([
    NOW + 5,
    NOW + 3,
    NOW + 3,
    NOW,
    NOW,
    undefined,
  ]);
  expect(counts.nthLast(1, NOW + 4)).toBe(NOW + 3);
});
