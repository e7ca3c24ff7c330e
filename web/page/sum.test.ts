import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Sum } from "./sum.ts";
import type { CofferTransfer } from "./transfer-row.ts";

type Told = Parameters<CofferTransfer["sum"]>[0];

/** In the place of a row, which needs a document: what it is told. */
function told() {
  const rows: { name: string; told: Told | undefined }[] = [];
  const sum = new Sum({
    row: () => {
      const shown = { name: "", told: undefined as Told | undefined, cancellable: true };
      rows.push(shown);
      return Object.assign(shown, {
        begin: (_: string, name: string) => (shown.name = name),
        sum: (of: Told) => (shown.told = of),
      }) as unknown as CofferTransfer;
    },
    drop: () => rows.pop(),
  });
  return { sum, rows };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("tells several that take a while together, and one by itself not", () => {
  const { sum, rows } = told();
  const [one, two, three] = [{}, {}, {}];
  sum.begin(one, 100);
  vi.advanceTimersByTime(5000);
  expect(rows).toEqual([]);
  sum.begin(two, 300);
  vi.advanceTimersByTime(900);
  expect(rows).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(rows[0]).toMatchObject({ name: "2 transfers", told: { bytes: 0, total: 400 } });
  sum.begin(three, 600);
  // Gone on with: what was done before is no speed.
  sum.far(three, 500);
  vi.advanceTimersByTime(1000);
  expect(rows[0]).toMatchObject({ name: "3 transfers", told: { bytes: 500, total: 1000 } });
  for (let done = 10; done <= 50; done += 10) {
    sum.far(one, done);
    vi.advanceTimersByTime(1000);
  }
  expect(rows[0]!.told).toMatchObject({ bytes: 550, total: 1000 });
  expect(rows[0]!.told!.rate).toBeGreaterThan(5);
  expect(rows[0]!.told!.rate).toBeLessThan(11);
  expect(rows[0]!.told!.left).toBeCloseTo(450 / rows[0]!.told!.rate!, 5);
  // What is done stays in the sum, and what is cancelled does not; either way it is not slower for it.
  sum.end(one, true);
  sum.end(two, false);
  vi.advanceTimersByTime(1000);
  expect(rows[0]).toMatchObject({ name: "2 transfers", told: { bytes: 600, total: 700 } });
  expect(rows[0]!.told!.rate).toBeGreaterThan(5);
  sum.end(three, true);
  expect(rows).toEqual([]);
  // The next ones begin from nothing.
  sum.begin({}, 10);
  sum.begin({}, 10);
  vi.advanceTimersByTime(1100);
  expect(rows[0]).toMatchObject({ name: "2 transfers", told: { bytes: 0, total: 20, rate: undefined } });
  sum.clear();
  vi.advanceTimersByTime(5000);
  expect(rows).toEqual([]);
});
