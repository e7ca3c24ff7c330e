import { expect, it } from "vitest";
import { custodianName } from "./name.ts";

it("puts nothing into a Distinguished Name that needs escaping", () => {
  const name = { user: "0b0e-1", origin: "https://app.example:1", tenant: "acme" };
  expect(custodianName(name)).toBe("CN=0b0e-1,OU=https://app.example:1,O=acme");
  expect(() => custodianName({ ...name, tenant: "a,O=b" })).toThrow(TypeError);
  expect(() => custodianName({ ...name, origin: "https://a,O=b" })).toThrow(TypeError);
});
