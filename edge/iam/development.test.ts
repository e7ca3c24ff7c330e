import { expect, it } from "vitest";
import { developmentSignIn } from "./development.ts";
import { custodianName, personName } from "./name.ts";

const tenants = (vault: string, ...apps: string[]) => ({ COFFER_TENANTS: { t: { vault, apps } } });
const development = {
  COFFER_ENVIRONMENT: "development",
  COFFER_DEV_SIGN_IN: "true",
  ...tenants("http://localhost:2", "page=http://localhost:1"),
};

it("allows sign-in by name in development on localhost only", () => {
  expect(developmentSignIn(development).allowed).toBe(true);
  for (const change of [
    { COFFER_ENVIRONMENT: "production" },
    { COFFER_ENVIRONMENT: "" },
    { COFFER_DEV_SIGN_IN: "1" },
    tenants("https://vault.example", "http://localhost:1"),
    tenants("http://localhost:2", "http://localhost:1", "https://app.example"),
    tenants("http://localhost:2", "http://notlocalhost:1"),
    {
      COFFER_TENANTS: {
        ...development.COFFER_TENANTS,
        other: { vault: "https://vault.example", apps: ["http://localhost:3"] },
      },
    },
  ]) {
    expect(developmentSignIn({ ...development, ...change }).allowed, JSON.stringify(change)).toBe(false);
  }
});

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
