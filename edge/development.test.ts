import { expect, it } from "vitest";
import { developmentSignIn } from "./development.ts";

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
