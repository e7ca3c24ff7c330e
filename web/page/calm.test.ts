import { expect, it, vi } from "vitest";
import { calmly } from "./calm.ts";

it("works at once the first time, and then once for all that comes until the pause is over", () => {
  vi.useFakeTimers();
  try {
    let worked = 0;
    const ask = calmly(250, () => worked++);
    ask();
    expect(worked).toBe(1);
    for (let at = 0; at < 10; at++) ask();
    expect(worked).toBe(1);
    vi.advanceTimersByTime(250);
    expect(worked).toBe(2);
    vi.advanceTimersByTime(1000);
    expect(worked).toBe(2);
    ask();
    expect(worked).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});
