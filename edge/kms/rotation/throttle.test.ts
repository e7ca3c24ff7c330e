import { expect, it } from "vitest";
import { Throttle } from "./throttle.ts";

/** The last rest after so many accounts that took `milliseconds` each. */
function after(throttle: Throttle, count: number, milliseconds: number): number {
  let rest = 0;
  for (let i = 0; i < count; i++) rest = throttle.rest(milliseconds);
  return rest;
}

it("W12 it begins slowly, and comes to its pace where nothing gets slower", () => {
  const throttle = new Throttle(320);
  expect(throttle.rest(10)).toBeGreaterThan(3 * 320);
  expect(after(throttle, 100, 10)).toBe(310);
});

it("W12 where accounts take much longer than they could it goes at a fraction of its pace, and faster again afterwards", () => {
  const throttle = new Throttle(320);
  after(throttle, 100, 10);
  expect(throttle.rest(40)).toBe(2 * 320 - 40);
  expect(after(throttle, 5, 40)).toBe(32 * 320 - 40);
  expect(after(throttle, 200, 10)).toBe(310);
});

it("W12 it rests twice as long as its work took, at any pace", () => {
  expect(after(new Throttle(1), 50, 200)).toBe(400);
});

it("W12 what was fast once is forgotten: where all takes longer for good it comes to its pace again", () => {
  const throttle = new Throttle(320);
  after(throttle, 100, 10);
  expect(after(throttle, 400, 40)).toBe(320 - 40);
});
