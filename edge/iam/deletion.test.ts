import { expect, it } from "vitest";
import { daySeconds } from "../days.ts";
import { checkSettled, endOf, settlingSeconds } from "./deletion.ts";

it("W11 a day is a day in production, whatever is configured, and may be shorter in development alone", () => {
  const short = { COFFER_DAY_SECONDS: "1" };
  expect(daySeconds({ COFFER_ENVIRONMENT: "production", ...short })).toBe(86_400);
  expect(daySeconds({ COFFER_ENVIRONMENT: "", ...short })).toBe(86_400);
  expect(daySeconds({ COFFER_ENVIRONMENT: "development" })).toBe(86_400);
  expect(daySeconds({ COFFER_ENVIRONMENT: "development", ...short })).toBe(1);
  for (const wrong of ["0", "-1", "x", "1.5", ""])
    expect(() => daySeconds({ COFFER_ENVIRONMENT: "development", COFFER_DAY_SECONDS: wrong })).toThrow(
      TypeError,
    );
});

it("W10 a version may be deleted when nobody can have been told of it as the current one for a while", () => {
  const check = (replaced: number | null, now: number) => {
    const decision = checkSettled(replaced, { now, settling: 60 });
    return decision.ok ? "ok" : [decision.problem.code, decision.problem.retryAfter];
  };
  expect(check(null, 9999)).toEqual(["conflict", undefined]);
  expect(check(1200, 1200)).toEqual(["key-in-use", 60]);
  expect(check(1200, 1259)).toEqual(["key-in-use", 1]);
  expect(check(1200, 1260)).toBe("ok");
  expect(settlingSeconds({ COFFER_ENVIRONMENT: "production", COFFER_DAY_SECONDS: "1" })).toBe(60);
  expect(settlingSeconds({ COFFER_ENVIRONMENT: "development" })).toBe(60);
  expect(settlingSeconds({ COFFER_ENVIRONMENT: "development", COFFER_DAY_SECONDS: "1" })).toBe(1);
});

it("W11 it is thirty days where nothing is said, and at once only where that is said", () => {
  expect(endOf({}, 100, 10)).toBe(400);
  expect(endOf({ days: 7 }, 100, 10)).toBe(170);
  expect(endOf({ immediately: false }, 100, 10)).toBe(400);
  expect(endOf({ immediately: true }, 100, 10)).toBe(100);
});
