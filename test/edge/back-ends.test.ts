/** M19: tenants of one deployment whose keys are reached by older versions of KMIP, with and without the tenant's word. */

import { expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import {
  type Assurance,
  IDENTITY,
  type KmipVersion,
  named,
  residentDataKeyName,
} from "#protocol/hierarchy/index.ts";
import type { AccountEdk, Load } from "#protocol/keys/index.ts";
import { contextOf, custodianOf, type NodeCustodian } from "../hosts/index.ts";
import { kindOf } from "../hosts/kind.ts";
import { auditThat, type Entry } from "../support/audit.ts";
import { json, problem } from "../support/http.ts";
import { askGrant } from "../support/instance.ts";
import { hsmClient } from "../system/hsm.ts";
import { useSystem } from "../system/index.ts";

const backEnd = (newest: KmipVersion, ...without: Assurance[]) => ({
  backEnd: { kind: "kmip" as const, newest, without },
});
const TENANTS = {
  "kmip-2-0": backEnd("2.0"),
  "kmip-1-4": backEnd("1.4"),
  "kmip-1-3": backEnd("1.3", "sensitive", "account-keys"),
  "kmip-1-2": backEnd("1.2", "sensitive", "account-keys"),
  "own-1-3": backEnd("1.3", "sensitive", "account-keys"),
  "silent-1-3": backEnd("1.3"),
  "half-1-3": backEnd("1.3", "sensitive"),
  "kmip-1-1": backEnd("1.1", "sensitive", "account-keys", "release-policy"),
  "kmip-1-0": backEnd("1.0", "sensitive", "account-keys", "release-policy"),
};
const system = useSystem({
  otherTenants: Object.keys(TENANTS),
  tenantSettings: TENANTS,
  vars: { COFFER_AUDIT_SECONDS: "1", COFFER_RESIDENT_KEYS_PER_ACCOUNT: "5" },
});

const UNSIGNED =
  "has no Sign (KMIP 1.2): encrypted data keys and load receipts cannot be signed there, and no tenant goes without that";

const at = (tenant: string) => ({ ...system, ...system.tenant(tenant), running: system.running });
const claims = (edk: string): AccountEdk =>
  JSON.parse(Buffer.from(edk.split(".")[1] ?? "", "base64url").toString());
const data = encodeBase64url(utf8("kept by an older HSM"));

/** An enrolled microservice of that custodian. */
async function enrolled(custodian: NodeCustodian) {
  const { port, close } = custodian.microservice();
  await port.hello(custodian.dn);
  await port.enrol({ method: "grant", grant: await askGrant(custodian.client) });
  return { port, certificate: await port.certificate(), close };
}

const order = (custodian: NodeCustodian, count = 1, purpose = "data") =>
  custodian.client.rest("POST", "/kms/data-keys", {
    ...{ account: custodian.account, count, purpose },
    algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
  });

it.each([
  ["kmip-2-0", "A256KW"],
  ["kmip-1-4", "A256KW"],
  ["kmip-1-3", "resident"],
  ["kmip-1-2", "resident"],
] as const)(
  "M19 %s: keys are made and rewrapped, %s, and an instance works with them",
  async (tenant, wrapping) => {
    const custodian = await custodianOf(at(tenant), "Ada");
    const { port, certificate, close } = await enrolled(custodian);
    const { edks } = json<{ edks: string[] }>(await order(custodian, 2));
    expect(edks.map((edk) => claims(edk).wrapping)).toEqual([wrapping, wrapping]);
    const [first = "", second = ""] = edks;
    const load = json<Load>(
      await custodian.client.rest("POST", "/kms/loads", { way: "rewrap", edk: first, certificate }),
    );
    await port.load(load);
    const context = contextOf(custodian);
    const { message } = await port.operate("encrypt", { key: first, context, data });
    expect(await port.operate("decrypt", { key: first, context, message })).toEqual({ data });
    const several = await custodian.client.rest("POST", "/kms/loads", { way: "several", edks, certificate });
    await port.load(json<never>(several));
    expect(await port.has(second)).toBe(true);
    close();
  },
);

it.each([
  ["silent-1-3", "kmip/1.3 does not keep sensitive, account-keys, and"],
  ["half-1-3", "kmip/1.3 does not keep account-keys, and"],
  // Nothing is signed there, whatever the tenant goes without.
  ["kmip-1-1", `kmip/1.1 ${UNSIGNED}`],
  ["kmip-1-0", `kmip/1.0 ${UNSIGNED}`],
] as const)(
  "M19 %s: is refused what it has not been allowed, and the audit says what",
  async (tenant, reason) => {
    const custodian = await custodianOf(at(tenant), "Ada");
    expect(problem(await order(custodian))).toBe("409 back-end-refused");
    const refused = (entries: Entry[]) => entries.find(({ code }) => code === "back-end-refused");
    const { entries } = await auditThat(system, tenant, (found) => refused(found) !== undefined);
    expect(refused(entries)).toMatchObject({ outcome: "deny", reason: expect.stringContaining(reason) });
    expect(entries.filter(({ action }) => action === "kms:back-end")).toEqual([]);
  },
);

/** Whether it shows, or has not in twenty seconds: then the test says what is lacking. */
function soon(shows: (entries: Entry[]) => boolean) {
  const until = Date.now() + 20_000;
  return (entries: Entry[]) => shows(entries) || Date.now() > until;
}

it("M19 the audit has what a tenant goes without, and of a tenant that goes without nothing no word", async () => {
  const noted = (entries: Entry[]) => entries.filter(({ action }) => action === "kms:back-end");
  await order(await custodianOf(at("kmip-1-3"), "Ada"));
  // Nobody waits for it to be noted.
  const decided = (entries: Entry[]) => entries.some(({ action }) => action === "kms:data-keys");
  const lesser = await auditThat(
    system,
    "kmip-1-3",
    soon((entries) => decided(entries) && noted(entries).length > 0),
  );
  expect(noted(lesser.entries)).not.toEqual([]);
  for (const { resource, outcome } of noted(lesser.entries))
    expect([resource, outcome]).toEqual(["back-end/kmip/1.3/without/sensitive,account-keys", "allow"]);
  await order(await custodianOf(at("kmip-1-4"), "Ada"));
  const full = await auditThat(system, "kmip-1-4", decided);
  expect(noted(full.entries)).toEqual([]);
});

it("M19 the audit has it of a tenant with keys of its own as well, which are no account's", async () => {
  const { client } = await custodianOf(at("own-1-3"), "Ada");
  await client.rest("POST", "/kms/data-keys", { count: 1, purpose: "document" });
  const isNoted = ({ action }: Entry) => action === "kms:back-end";
  const { entries } = await auditThat(
    system,
    "own-1-3",
    soon((found) => found.some(isNoted)),
  );
  expect(entries.find(isNoted)).toMatchObject({
    resource: "back-end/kmip/1.3/without/sensitive,account-keys",
  });
});

it("M19 what a version cannot say is not offered: no channel before 2.0, and no key under an account key before 1.4", async () => {
  const of14 = await custodianOf(at("kmip-1-4"), "Ada");
  const { port, certificate, close } = await enrolled(of14);
  const { edks } = json<{ edks: string[] }>(await order(of14));
  const { grant } = json<{ grant: string }>(
    await of14.client.rest("POST", "/kms/grants", { edks, certificate }),
  );
  await expect(port.load({ way: "grant", grant, edks })).rejects.toMatchObject({ code: "back-end-refused" });
  close();
  const of13 = await custodianOf(at("kmip-1-3"), "Ada");
  const { account } = of13;
  const signs = { account, count: 1, ...kindOf("ES256") };
  expect(problem(await of13.client.rest("POST", "/kms/data-keys", signs))).toBe("409 back-end-refused");
});

it("M19 a metadata key that lives in the HSM is made once", async () => {
  const { client, account } = await custodianOf(at("kmip-1-3"), "Mae");
  const ask = async () =>
    json<{ edk: string }>(await client.rest("POST", `/kms/accounts/${account}/metadata-key`)).edk;
  const edk = await ask();
  expect(claims(edk).wrapping).toBe("resident");
  expect(await ask()).toBe(edk);
});

it("M19 W11 of a shredded account no key is left in an HSM that holds them", async () => {
  const { client, account } = await custodianOf(at("kmip-1-3"), "Eve");
  const { edks } = json<{ edks: string[] }>(
    await client.rest("POST", "/kms/data-keys", { account, count: 2, purpose: "document" }),
  );
  const kms = await hsmClient(system, IDENTITY.kms);
  const there = async () => {
    const found = edks.map(claims).map(async ({ keyId, keyVersion, wrappedKey }) => {
      const name = named(residentDataKeyName(keyId, keyVersion));
      const { uniqueIdentifier: located } = await kms.request("Locate", { attributes: { name } });
      const uniqueIdentifier = Buffer.from(wrappedKey, "base64url").toString();
      const { attributes } = await kms.request("GetAttributes", {
        uniqueIdentifier,
        attributeReference: ["state"],
      });
      return [located.length, attributes.state];
    });
    return Promise.all(found);
  };
  expect(await there()).toEqual(edks.map(() => [1, "PreActive"]));
  const ended = await client.rest("POST", `/accounts/${account}/deletion`, { immediately: true });
  expect(ended.status).toBe(200);
  await expect.poll(there, { timeout: 30_000 }).toEqual(edks.map(() => [0, "Destroyed"]));
  kms.close();
});

it("M19 an account has no more keys in the HSM than it may, and one that is refused makes none", async () => {
  const custodian = await custodianOf(at("kmip-1-2"), "Max");
  expect(problem(await order(custodian, 6))).toBe("403 quota-exceeded");
  expect((await order(custodian, 5)).status).toBe(201);
  expect(problem(await order(custodian))).toBe("403 quota-exceeded");
  // Where keys stand under their account's key there is none of this.
  expect((await order(await custodianOf(at("kmip-1-4"), "Max"), 6)).status).toBe(201);
});
