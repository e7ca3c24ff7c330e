/** Data keys of the tenant itself at the edge: who may have one, by the key's own policy, and who may not. */

import { beforeAll, expect, it } from "vitest";
import { decodeBase64url } from "#protocol/base64url.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { Receipt, TenantEdk } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, type Keys, makeKeys } from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({
  otherApps: ["other"],
  otherTenants: ["umbrella"],
  vars: { COFFER_DATA_KEYS_PER_HOUR: "24" },
});
let ann: EdgeClient;
let bob: EdgeClient;
let keys: Keys;
let anns: string;
let bobs: string;

const certificateOf = async (client: EdgeClient) =>
  json<EnrolmentAnswer>(await enrol(client, await makeKeys(keys?.wrapping))).wrappingCertificate;

beforeAll(async () => {
  [ann, bob] = await Promise.all([EdgeClient.signedIn(system, "Ann"), EdgeClient.signedIn(system, "Bob")]);
  keys = await makeKeys();
  anns = await certificateOf(ann);
  bobs = json<EnrolmentAnswer>(await enrol(bob, await makeKeys())).wrappingCertificate;
});

const order = (client: EdgeClient, more: object = {}) =>
  client.rest("POST", "/kms/data-keys", { count: 1, purpose: "document", ...more });
const ordered = async (policy: KeyPolicy) => json<{ edks: [string] }>(await order(ann, { policy })).edks[0];
const load = (client: EdgeClient, edk: string, certificate: string) =>
  client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });
const payload = <T>(jws: string): T => JSON.parse(new TextDecoder().decode(jwsParts(jws).payload));

it("M6 the policy of a new key is as it was ordered, and names the custodian alone where it names nobody", async () => {
  const policy: KeyPolicy = { operations: ["decrypt"], denied: ["CN=eve,O=development"] };
  const edk = await ordered(policy);
  const { dn } = ann.tokens.custodian;
  expect(payload<TenantEdk>(edk).policy).toEqual({ principals: [dn], ...policy });
  const { receipt } = json<{ receipt: string }>(await load(ann, edk, anns));
  expect(payload<Receipt>(receipt).policy).toMatchObject({ operations: ["decrypt"], principals: [dn] });
  const own = json<{ edks: [string] }>(
    await order(ann, { account: ann.account, policy: { operations: ["encrypt"] } }),
  );
  expect(payload<TenantEdk>(own.edks[0]).policy).toEqual({ operations: ["encrypt"] });
});

it("B3 at the KMS: a listed name with a listed action passes; others are refused, in the audit log with the reason", async () => {
  const both = await ordered({
    operations: ["encrypt", "decrypt"],
    principals: [ann.tokens.custodian.dn, bob.tokens.custodian.dn],
  });
  expect((await load(bob, both, bobs)).status).toBe(200);
  expect((await load(ann, both, anns)).status).toBe(200);
  const hers = await ordered({ operations: ["encrypt", "decrypt"] });
  expect(problem(await load(bob, hers, bobs))).toBe("403 forbidden");
  const nothing = await ordered({ operations: [] });
  expect(problem(await load(ann, nothing, anns))).toBe("403 forbidden");
  const denied = await ordered({ operations: ["decrypt"], denied: [ann.tokens.custodian.dn] });
  expect(problem(await load(ann, denied, anns))).toBe("403 forbidden");
  const hardware = await ordered({ operations: ["decrypt"], tier: "hardware" });
  expect(problem(await load(ann, hardware, anns))).toBe("403 forbidden");
  const ended = await ordered({ operations: ["decrypt"], expires: 1 });
  expect(problem(await load(ann, ended, anns))).toBe("403 forbidden");
  const reasons = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)))
      .filter(({ action, outcome }) => action === "kms:rewrap" && outcome === "deny")
      .map(({ reason }) => reason);
  await expect
    .poll(reasons)
    .toEqual(
      expect.arrayContaining(["not allowed by principal", "denied by principal", "not allowed by tier"]),
    );
});

it("M6 M20 refuses another tenant, another app, another's instance, and an altered EDK", async () => {
  const edk = await ordered({ operations: ["decrypt"], principals: [ann.tokens.custodian.dn] });
  const foreign = await EdgeClient.signedIn(system.tenant("umbrella"), "Ann");
  expect(problem(await load(foreign, edk, await certificateOf(foreign)))).toBe("403 forbidden");
  const appOrigin = system.origin("other");
  const other = await EdgeClient.signedIn({ appOrigin, vaultOrigin: system.vaultOrigin }, "Ann");
  expect(problem(await load(other, edk, await certificateOf(other)))).toBe("403 forbidden");
  expect(problem(await load(ann, edk, bobs))).toBe("403 not-recipient");
  const [head, body, signature] = edk.split(".") as [string, string, string];
  for (const change of [
    { owner: bob.tokens.user.id },
    { masterKey: crypto.randomUUID() },
    { account: ann.account },
    { policy: { operations: ["encrypt", "decrypt"] } },
  ]) {
    const changed = { ...JSON.parse(Buffer.from(decodeBase64url(body)).toString()), ...change };
    const forged = `${head}.${Buffer.from(JSON.stringify(changed)).toString("base64url")}.${signature}`;
    expect(problem(await load(ann, forged, anns)), JSON.stringify(change)).toBe("400 invalid-edk");
  }
  expect((await load(ann, edk, anns)).status).toBe(200);
});

it.each([
  ["no such operation", { operations: ["wrap"] }],
  ["an additional member", { operations: [], admin: true }],
  [
    "more than an EDK holds",
    { operations: [], principals: Array.from({ length: 16 }, (_, n) => `${n}`.padEnd(256)) },
  ],
])("M6 refuses a policy with %s", async (_, policy) => {
  expect(problem(await order(ann, { policy }))).toBe("400 bad-request");
});

it("M6 the tenant's own keys are bounded in number, for each principal", async () => {
  const eve = await EdgeClient.signedIn(system, "Eve");
  expect((await order(eve, { count: 16 })).status).toBe(201);
  const more = await Promise.all([order(eve, { count: 8 }), order(eve, { count: 8 })]);
  expect(more.map(({ status }) => status).sort()).toEqual([201, 429]);
  expect((await order(eve, { account: eve.account })).status).toBe(201);
});

it("M6 who has signed out gets none", async () => {
  const gil = await EdgeClient.signedIn(system, "Gil");
  await gil.vaultPost("/sign-out", {});
  expect(problem(await order(gil))).toMatch(/^401 /);
});
