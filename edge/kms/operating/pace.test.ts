import { expect, it } from "vitest";
import { OperationPace } from "./pace.ts";

it("M16 lets so many operations a minute through, and says when there is room again", () => {
  const pace = new OperationPace("60");
  const now = 1_800_000_000;
  for (let n = 0; n < 60; n++) expect(pace.take(now).ok, String(n)).toBe(true);
  expect(pace.take(now)).toMatchObject({ ok: false, problem: { code: "too-many-requests", retryAfter: 1 } });
  expect(pace.take(now + 1).ok).toBe(true);
  expect(pace.take(now + 1).ok).toBe(false);
  for (let n = 0; n < 60; n++) expect(pace.take(now + 120).ok).toBe(true);
  expect(() => new OperationPace("many")).toThrow(TypeError);
});

it("M16 is kept by no clock that was set back", () => {
  const pace = new OperationPace("60");
  for (let n = 0; n < 60; n++) pace.take(1_800_000_000);
  expect(pace.take(1_800_000_000).ok).toBe(false);
  expect(pace.take(1_700_000_000).ok).toBe(true);
});
