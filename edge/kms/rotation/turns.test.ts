import { expect, it } from "vitest";
import { PARTS } from "./accounts.ts";
import { restedAt, turnOf } from "./turns.ts";

const NOW = 1_790_000_000_000;

it("W12 all parts together have less than a quarter of the time, as long as an account takes less than a sixth of a second", () => {
  for (const took of [1, 10, 150]) {
    const share = (PARTS * took) / (restedAt(NOW, NOW + took, 320) - NOW);
    expect(share).toBeLessThanOrEqual(0.25);
    expect(share).toBeGreaterThan(0.2);
  }
});

it("W12 a part rests for a bounded time after one account that took very long, and twice as long as its work at least", () => {
  expect(restedAt(NOW, NOW + 1000, 320)).toBe(NOW + 1000 + 32 * 320);
  expect(restedAt(NOW, NOW + 30_000, 320)).toBe(NOW + 90_000);
});

it("W12 no two parts begin an account at the same moment, and none before it has rested", () => {
  for (const interval of [16, 320, 1000, 16_000]) {
    for (const earliest of [NOW, NOW + 1, NOW + interval - 1]) {
      const turns = Array.from({ length: PARTS }, (_, part) => turnOf(part, interval, earliest));
      expect(new Set(turns).size).toBe(PARTS);
      expect(Math.min(...turns)).toBeGreaterThanOrEqual(earliest);
      expect(Math.max(...turns)).toBeLessThanOrEqual(earliest + interval);
    }
  }
});

it("W12 a part's moments are its own whenever it asks", () => {
  const first = turnOf(5, 320, NOW);
  expect(turnOf(5, 320, first)).toBe(first);
  expect(turnOf(5, 320, first + 1)).toBe(first + 320);
  expect(turnOf(5, 320, first + 7 * 320 - 3)).toBe(first + 7 * 320);
  expect(turnOf(6, 320, first)).toBe(first + 20);
});
