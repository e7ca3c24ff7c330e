import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Trials } from "./trials.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Seconds after which each trial comes, where all fail at once, two of them. */
function tried(trials: (work: () => void) => Trials) {
  const times: number[] = [];
  const began = Date.now();
  const made: Trials = trials(() => {
    times.push((Date.now() - began) / 1000);
    made.failed();
    made.failed();
  });
  return { made, times };
}

it("tries again after half a minute, and then twice as long each time, up to ten minutes", () => {
  const { made, times } = tried((work) => new Trials(work));
  made.failed();
  vi.advanceTimersByTime(29_000);
  made.failed();
  vi.advanceTimersByTime(3600_000);
  expect(times).toEqual([30, 90, 210, 450, 930, 1530, 2130, 2730, 3330]);
});

it("begins anew once the server has answered, tries at once where the network is back, and no more once it is stopped", () => {
  const { made, times } = tried((work) => new Trials(work));
  made.failed();
  vi.advanceTimersByTime(100_000);
  expect(times).toEqual([30, 90]);
  made.reached();
  made.now();
  expect(times).toEqual([30, 90, 100]);
  vi.advanceTimersByTime(30_000);
  expect(times).toEqual([30, 90, 100, 130]);
  made.stop();
  vi.advanceTimersByTime(3600_000);
  expect(times).toHaveLength(4);
});
