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
    groups: null,
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

it("reads who is an admin by the setting, and refuses what names nobody or might name two", () => {
  const named = (...admins: object[]) => readTenants({ acme: { ...acme, admins } }, true).byName.get("acme");
  const issuer = "https://login.acme.example";
  expect(named({ email: "Ada@acme.example" }, { issuer, subject: "7" })?.admins).toEqual([
    { email: "ada@acme.example" },
    { issuer, subject: "7" },
  ]);
  expect(readTenants({ acme }, true).byName.get("acme")?.admins).toEqual([]);
  for (const admin of [{}, { issuer }, { subject: "7" }, { email: "ada" }, { email: "a@b.c", subject: "7" }])
    expect(() => named(admin), JSON.stringify(admin)).toThrow("COFFER_TENANTS, acme: ");
});

it("reads what a person's groups at the provider are here", () => {
  const groups = [{ theirs: "Engineering", ours: "staff" }];
  expect(read({ claims: { groups: "teams" }, groups })?.groups).toEqual({
    claim: "teams",
    named: [["Engineering", "staff"]],
  });
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
    { claims: { groups: "groups" } },
    { groups: [{ theirs: "a", ours: "a" }] },
    { claims: { groups: "groups" }, groups: [{ theirs: "a", ours: "A" }] },
    { claims: { groups: "groups" }, groups: Array(31).fill({ theirs: "a", ours: "a" }) },
    { extra: true },
  ])
    expect(() => read(change), JSON.stringify(change)).toThrow("COFFER_TENANTS, acme: ");
});
