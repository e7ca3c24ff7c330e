import { expect, it, vi } from "vitest";
import { KmipDecodeError, KmipEncodeError, KmipError } from "#protocol/kmip/index.ts";
import { ok } from "../result.ts";
import { HsmUnavailable, openHsm, UnexpectedAnswer } from "./client.ts";
import { failureOf, fromHsm } from "./failure.ts";

it.each([
  [new HsmUnavailable("away"), "hsm-unavailable", "HsmUnavailable"],
  [new KmipDecodeError("not KMIP"), "hsm-unavailable", "KmipDecodeError"],
  [new KmipError("PermissionDenied", undefined, "Get"), "hsm-refused", "Get PermissionDenied"],
  [new UnexpectedAnswer("no such object"), "hsm-refused", "UnexpectedAnswer"],
  [new KmipEncodeError("a field of another kind"), "internal", "KmipEncodeError"],
  [new TypeError("undefined is not a function"), "internal", "TypeError"],
  ["a string", "internal", "unknown"],
] as const)("%s is %s", (error, code, reason) => {
  expect(failureOf(error)).toEqual({ code, reason });
});

it("blames the HSM for nothing that is not its fault", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const away = openHsm({ fetch: () => Promise.reject(new Error("connection refused")) }, "https://hsm/kmip");
  const asked = (more: () => void) =>
    fromHsm("r", async () => {
      more();
      return ok(await away.locate("x"));
    });
  expect(await asked(() => {})).toMatchObject({ ok: false, problem: { code: "hsm-unavailable" } });
  const wrong = () => {
    throw new RangeError("Invalid time value");
  };
  expect(await asked(wrong)).toMatchObject({ ok: false, problem: { code: "internal" } });
  vi.restoreAllMocks();
});
