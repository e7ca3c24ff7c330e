import { expect, it } from "vitest";
import { fail, refuseForNow } from "../result.ts";
import { readJson } from "./body.ts";
import { problemResponse, unwrap } from "./problem.ts";

const post = (body: string) =>
  new Request("https://app.example/x", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });

it("refuses JSON that is nested too deep as malformed, whatever its size", async () => {
  expect(await readJson(post('{"a":[{"b":1}]}'))).toEqual({ a: [{ b: 1 }] });
  for (const [open, close] of [
    ["[", "]"],
    ['{"a":', "}"],
  ] as const)
    for (const deep of [33, 5000, 10_000])
      await expect(readJson(post(`${open.repeat(deep)}1${close.repeat(deep)}`))).rejects.toMatchObject({
        code: "bad-request",
        status: 400,
      });
});

it("says with every 429 and where the HSM is away when to come again", () => {
  for (const code of ["too-many-requests", "hsm-unavailable"] as const)
    expect(problemResponse(code, "r").headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  expect(problemResponse("forbidden", "r").headers.get("retry-after")).toBeNull();
  let extra: Parameters<typeof problemResponse>[2];
  try {
    unwrap(refuseForNow("quota", 17.2));
  } catch (error) {
    extra = (error as { extra: typeof extra }).extra;
  }
  expect(problemResponse("too-many-requests", "r", extra).headers.get("retry-after")).toBe("18");
  expect(() => unwrap(fail("forbidden"))).toThrow();
});
