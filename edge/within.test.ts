import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { within } from "./within.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const late = () => "late";

it("answers what comes in time, and leaves no timer behind", async () => {
  expect(await within(1000, Promise.resolve("in time"), late)).toBe("in time");
  await expect(within(1000, Promise.reject(new Error("it failed")), late)).rejects.toThrow("it failed");
  expect(vi.getTimerCount()).toBe(0);
});

it("waits no longer than it was told, for what never comes and for what fails later", async () => {
  const never = within(1000, new Promise<string>(() => {}), late);
  await vi.advanceTimersByTimeAsync(1000);
  expect(await never).toBe("late");
  const failing = new Promise<string>((_, reject) => setTimeout(() => reject(new Error("later")), 2000));
  const refused = within(1000, failing, () => {
    throw new Error("no answer");
  });
  const outcome = expect(refused).rejects.toThrow("no answer");
  await vi.advanceTimersByTimeAsync(3000);
  await outcome;
});
