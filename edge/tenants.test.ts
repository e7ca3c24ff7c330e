import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { configuredTenants, readTenants, tenantNamed } from "./tenants.ts";

const acme = { vault: "https://vault.acme.example", apps: ["https://app.acme.example"] };
const umbrella = { vault: "https://vault.umbrella.example", apps: ["page=https://app.umbrella.example"] };

beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

it("tells tenant and site by the host", () => {
  const { byName, byHost, local } = readTenants({ acme, umbrella }, true);
  expect([...byName.keys()]).toEqual(["acme", "umbrella"]);
  expect([...byHost].map(([host, { tenant, name, origin }]) => [host, tenant.name, name, origin])).toEqual([
    ["vault.acme.example", "acme", "vault", "https://vault.acme.example"],
    ["app.acme.example", "acme", "app", "https://app.acme.example"],
    ["vault.umbrella.example", "umbrella", "vault", "https://vault.umbrella.example"],
    ["app.umbrella.example", "umbrella", "app", "https://app.umbrella.example"],
  ]);
  expect(byHost.get("app.umbrella.example")?.origins).toEqual({
    vault: "https://vault.umbrella.example",
    apps: ["https://app.umbrella.example"],
  });
  expect(local).toBe(false);
});

it("takes a tenant for level data unless it says another, and no level that is none", () => {
  const { byName } = readTenants({ acme, umbrella: { ...umbrella, level: "master" } }, true);
  expect([...byName.values()].map(({ level }) => level)).toEqual(["data", "master"]);
  expect(() => readTenants({ acme: { ...acme, level: "all" } }, true)).toThrow("acme");
});

it("W1 takes a tenant's account keys for symmetric unless it says RSA, and no other kind", () => {
  const { byName } = readTenants({ acme, umbrella: { ...umbrella, accountKeys: "RSA-3072" } }, true);
  expect([...byName.values()].map(({ accountKeys }) => accountKeys)).toEqual(["AES-256", "RSA-3072"]);
  for (const accountKeys of ["RSA-2048", "rsa-3072", "", true])
    expect(() => readTenants({ acme: { ...acme, accountKeys } }, true)).toThrow("acme");
});

it("lets no two sites share a host, in one tenant or in two", () => {
  for (const table of [
    { acme, umbrella: { ...umbrella, vault: acme.vault } },
    { acme, umbrella: { ...umbrella, apps: [acme.vault] } },
    { acme, umbrella: { ...umbrella, apps: ["page=https://app.acme.example"] } },
    { acme: { ...acme, apps: [acme.vault] } },
    { acme: { vault: "http://localhost:1", apps: ["https://localhost:1"] } },
  ]) {
    expect(() => readTenants(table, true), JSON.stringify(table)).toThrow("already");
  }
});

it("takes an app's id in each tenant, and in one of them once", () => {
  const named = { ...acme, apps: ["page=https://app.acme.example"] };
  expect(readTenants({ acme: named, umbrella }, true).byName.size).toBe(2);
  const twice = { ...acme, apps: ["page=https://a.example", "page=https://b.example"] };
  expect(() => readTenants({ acme: twice }, true)).toThrow("COFFER_TENANTS, acme: names page");
});

it("holds production to HTTPS on its usual port, but on this machine", () => {
  for (const vault of ["http://vault.acme.example", "https://vault.acme.example:8443"]) {
    expect(() => readTenants({ acme: { ...acme, vault } }, true), vault).toThrow("HTTPS");
    expect(() => readTenants({ acme: { ...acme, vault } }, false), vault).not.toThrow();
  }
  const local = { vault: "http://localhost:2", apps: ["http://localhost:1"] };
  expect(readTenants({ local }, true).local).toBe(true);
  expect(() =>
    configuredTenants({ COFFER_TENANTS: { acme: { ...acme, vault: "http://v.example" } } }),
  ).toThrow();
});

it("M19 takes AWS KMS as back end of level data alone, over HTTPS in production, with a secret of its own kind", () => {
  const backEnd = {
    kind: "aws-kms",
    key: "alias/coffer",
    region: "eu-central-1",
    secret: "COFFER_AWS_SECRET",
  };
  const read = (more: object, strict = true, of: object = {}) =>
    readTenants({ acme: { ...acme, ...of, backEnd: { ...backEnd, ...more } } }, strict).byName.get("acme");
  expect(read({ without: ["account-keys"] })?.backEnd).toEqual({ ...backEnd, without: ["account-keys"] });
  expect(read({})?.backEnd.without).toEqual([]);
  const hsm = { newest: "1.3", without: ["sensitive"] };
  expect(read({ hsm })?.backEnd).toMatchObject({ hsm });
  for (const level of ["account", "master"])
    expect(() => read({}, true, { level }), level).toThrow(`at level ${level}`);
  const endpoint = "http://127.0.0.1:4566/";
  expect(() => read({ endpoint })).toThrow("no HTTPS address of AWS KMS");
  expect(read({ endpoint }, false)?.backEnd).toMatchObject({ endpoint });
  for (const wrong of [
    { secret: "COFFER_VERIFIER_KEY" },
    { secret: undefined },
    { region: "../eu" },
    { key: "" },
    { newest: "2.1" },
    { hsm: { kind: "kmip" } },
    { hsm: { newest: "3.0" } },
    { hsm: { without: ["everything"] } },
    { kind: "aws" },
  ])
    expect(() => read(wrong), JSON.stringify(wrong)).toThrow("COFFER_TENANTS, acme");
});

it("refuses a table of another form, and says where", () => {
  for (const table of [undefined, null, "", "{}", [], [acme], {}, 7])
    expect(() => readTenants(table, true), JSON.stringify(table)).toThrow("COFFER_TENANTS");
  for (const [name, entry] of [
    ["acme", { vault: acme.vault }],
    ["acme", { apps: acme.apps }],
    ["acme", { ...acme, apps: [] }],
    ["acme", { ...acme, apps: acme.apps[0] }],
    ["acme", { ...acme, vault: "vault.acme.example" }],
    ["acme", { ...acme, vault: "https://VAULT.acme.example" }],
    ["acme", { ...acme, vault: "https://vault.acme.example." }],
    ["acme", { ...acme, apps: ["https://bücher.example"] }],
    ["acme", { ...acme, hsm: "https://hsm.example" }],
    ["acme", { ...acme, apps: Array.from({ length: 65 }, (_, n) => `https://a${n}.example`) }],
    ["acme", { ...acme, vault: `https://${"a".repeat(300)}.example` }],
    ["acme", null],
    ...["Acme", "a/b", "a b", "-a", "", "a".repeat(64), "ä", "a,O=b"].map((name) => [name, acme] as const),
  ] as const) {
    expect(() => readTenants({ [name]: entry }, true), JSON.stringify([name, entry])).toThrow(
      "COFFER_TENANTS, ",
    );
  }
});

it("tells the operator what is wrong with the table", () => {
  expect(() => configuredTenants({ COFFER_TENANTS: { acme, Umbrella: umbrella } })).toThrow();
  expect(vi.mocked(console.error).mock.calls.map(([line]) => JSON.parse(line))).toEqual([
    {
      event: "configuration",
      variable: "COFFER_TENANTS",
      reason: "COFFER_TENANTS, Umbrella: is no name of up to 63 lower-case letters, digits and hyphens",
    },
  ]);
});

it("knows no tenant by another name, nor by one that every object has", () => {
  const env = { COFFER_TENANTS: { acme } };
  expect(tenantNamed(env, "acme").vault).toBe(acme.vault);
  for (const name of ["umbrella", "constructor", "__proto__", "acme/x", "ACME", ""])
    expect(() => tenantNamed(env, name), name).toThrow();
});

it("reads ten thousand tenants once, and no more than that", () => {
  const table = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, n) => [
        `t${n}`,
        { vault: `https://vault${n}.example`, apps: [`https://app${n}.example`] },
      ]),
    );
  const env = { COFFER_TENANTS: table(10_000) };
  const read = configuredTenants(env);
  expect(read.byHost.size).toBe(20_000);
  for (let n = 0; n < 1000; n++) expect(configuredTenants(env)).toBe(read);
  expect(configuredTenants({ ...env, COFFER_ENVIRONMENT: "development" })).not.toBe(read);
  expect(() => readTenants(table(10_001), true)).toThrow("10001 tenants");
});
