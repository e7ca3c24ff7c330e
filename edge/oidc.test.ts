import { expect, it } from "vitest";
import { readTenants } from "./tenants.ts";

const acme = { vault: "https://vault.acme.example", apps: ["https://app.acme.example"] };
const oidc = { issuer: "https://login.acme.example", clientId: "coffer" };
const read = (change: object, strict = true) =>
  readTenants({ acme: { ...acme, oidc: { ...oidc, ...change } } }, strict).byName.get("acme")?.oidc;

it("reads how a tenant's people sign in", () => {
  expect(read({})).toEqual({
    ...oidc,
    clientSecret: null,
    scope: "openid profile",
    nameClaim: null,
    development: null,
  });
  const all = {
    clientSecret: "COFFER_OIDC_SECRET_ACME",
    scopes: ["openid", "email"],
    claims: { name: "email" },
  };
  expect(read(all)).toMatchObject({
    clientSecret: "COFFER_OIDC_SECRET_ACME",
    scope: "openid email",
    nameClaim: "email",
  });
  expect(readTenants({ acme }, true).byName.get("acme")?.oidc).toBeNull();
});

it("asks no provider in the clear in production, and in development on this machine alone", () => {
  for (const issuer of ["http://login.acme.example", "http://127.0.0.1:1", "http://localhost:1"])
    expect(() => read({ issuer }), issuer).toThrow("COFFER_TENANTS, acme: its OpenID Connect issuer");
  expect(read({ issuer: "http://127.0.0.1:1" }, false)?.issuer).toBe("http://127.0.0.1:1");
  expect(() => read({ issuer: "http://login.acme.example" }, false)).toThrow("issuer");
});

it("takes nobody for somebody of development in production", () => {
  const development = { issuer: "urn:coffer:development", subject: "name" };
  expect(() => read({ development })).toThrow("development alone");
  expect(read({ development }, false)?.development).toEqual(development);
});

it("refuses settings of another form", () => {
  for (const change of [
    { issuer: "login.acme.example" },
    { issuer: "https://login.acme.example/?tenant=a" },
    { issuer: "https://login.acme.example/#a" },
    { issuer: "https://a:b@login.acme.example" },
    { clientId: "" },
    { clientId: "a b" },
    // A secret by name, and by no name of another variable.
    { clientSecret: "s3cret" },
    { clientSecret: "COFFER_TENANTS" },
    { scopes: ["a b"] },
    { claims: { subject: "email" } },
    { extra: true },
  ])
    expect(() => read(change), JSON.stringify(change)).toThrow("COFFER_TENANTS, acme: ");
});
