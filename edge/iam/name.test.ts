import { expect, it } from "vitest";
import { custodianName, personName } from "./name.ts";

it("tidies names and refuses what is no name", () => {
  expect(personName("  Ada \t Lovelace ")).toBe("Ada Lovelace");
  expect(personName("Åsa")).toBe("Åsa".normalize("NFC"));
  for (const wrong of ["", " ", "a\u0000b", "a\u202eb", "x".repeat(65), 7, null])
    expect(personName(wrong)).toBeNull();
});

it("puts nothing into a Distinguished Name that needs escaping", () => {
  const name = { user: "0b0e-1", origin: "https://app.example:1", tenant: "acme" };
  expect(custodianName(name)).toBe("CN=0b0e-1,OU=https://app.example:1,O=acme");
  expect(() => custodianName({ ...name, tenant: "a,O=b" })).toThrow(TypeError);
  expect(() => custodianName({ ...name, origin: "https://a,O=b" })).toThrow(TypeError);
});
