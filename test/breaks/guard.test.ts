import { expect, it } from "vitest";
import { judge } from "./guard.ts";

type Result = { fullName?: string; status: string; failureMessages?: string[] };
const failed = (...failureMessages: string[]) => ({ status: "failed", failureMessages });
const verdict = (...results: Result[]) => {
  const assertionResults = results.map((result) => ({ fullName: "M3 guard", ...result }));
  return judge({ testResults: [{ assertionResults }] }, "^M3").verdict;
};

it("takes a break for red where an assertion failed, and nowhere else", () => {
  expect(verdict(failed("AssertionError: expected 1 to be 2"))).toBe("red");
  expect(verdict({ status: "passed" }, failed("TypeError: x", "Error: expect(…)"))).toBe("red");
  expect(verdict(failed('Error: promise resolved "1" instead of rejecting'))).toBe("red");
  expect(verdict({ status: "passed" })).toBe("green");
  expect(verdict(failed("TypeError: x is not a function"))).toBe("error");
  expect(verdict(failed("Error: Test timed out in 5000ms."))).toBe("error");
  expect(verdict({ status: "skipped" })).toBe("error");
  expect(verdict({ fullName: "another", ...failed("AssertionError: x") })).toBe("error");
  expect(judge("no report", "").verdict).toBe("error");
});
