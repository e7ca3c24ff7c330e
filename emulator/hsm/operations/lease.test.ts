import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { named } from "#protocol/hierarchy/index.ts";
import { type Attributes, type KmipClient, VERSIONS } from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";

let test: TestHsm;
let alice: KeyAndCertificate;
const BEGIN = Math.floor(Date.now() / 1000) * 1000;
let clock = BEGIN;
beforeAll(async () => {
  test = await testHsm({ now: () => new Date(clock), leaseTime: 600 });
  alice = await issueClient(test.pki.dir, "alice");
}, 30_000);
afterAll(() => test.close());

const told = async (client: KmipClient, uniqueIdentifier: string): Promise<Attributes> =>
  (
    await client.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: ["leaseTime", "lastChangeDate", "usageLimits"],
    })
  ).attributes;

async function create(client: KmipClient, more: Attributes = {}): Promise<string> {
  const { uniqueIdentifier } = await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: { ...AES, cryptographicUsageMask: ["Encrypt", "Decrypt"], activationDate: PAST, ...more },
  });
  return uniqueIdentifier;
}

const VERSIONED = VERSIONS.map((version) => [`${version.major}.${version.minor}`, version] as const);

describe.each(VERSIONED)("a lease by KMIP %s", (_, version) => {
  let client: KmipClient;
  beforeAll(() => {
    client = test.as(alice, version);
  });

  it("is as long as the server says, and told with the time of the last change", async () => {
    const uniqueIdentifier = await create(client);
    const lease = await client.request("ObtainLease", { uniqueIdentifier });
    expect(lease).toMatchObject({ leaseTime: 600, lastChangeDate: new Date(clock) });
    expect(await told(client, uniqueIdentifier)).toMatchObject({ leaseTime: 600 });
    clock += 5000;
    await client.request("AddAttribute", {
      uniqueIdentifier,
      newAttribute: { contactInformation: "somebody" },
    });
    const next = await client.request("ObtainLease", { uniqueIdentifier });
    expect(next).toMatchObject({ leaseTime: 600, lastChangeDate: new Date(clock) });
  });

  it("is nothing that a client sets", async () => {
    const denied = version.major < 2 ? "PermissionDenied" : /ReadOnlyAttribute|AttributeReadOnly/;
    for (const leaseTime of [0, 1, 599, 600, 86_400])
      expect([leaseTime, await reason(create(client, { leaseTime }))]).toEqual([
        leaseTime,
        typeof denied === "string" ? denied : expect.stringMatching(denied),
      ]);
    const uniqueIdentifier = await create(client);
    for (const operation of ["AddAttribute", "ModifyAttribute"] as const)
      expect(
        await reason(client.request(operation, { uniqueIdentifier, newAttribute: { leaseTime: 7 } })),
      ).toMatch(denied);
  });

  it("is not given for what is compromised, but again for its replacement", async () => {
    const uniqueIdentifier = await create(client, {
      name: named(`rekeyed ${version.minor}${version.major}`),
    });
    const old = await client.request("ReKey", { uniqueIdentifier });
    await client.request("Revoke", {
      uniqueIdentifier,
      revocationReason: { revocationReasonCode: "KeyCompromise" },
    });
    expect(await reason(client.request("ObtainLease", { uniqueIdentifier }))).toBe("PermissionDenied");
    expect(await client.request("ObtainLease", old)).toMatchObject({ leaseTime: 600 });
  });

  it("ends when a use changed the object", async () => {
    const total = 64n;
    const uniqueIdentifier = await create(client, {
      usageLimits: { usageLimitsTotal: total, usageLimitsUnit: "Byte" },
    });
    const changed = async () =>
      (await client.request("ObtainLease", { uniqueIdentifier })).lastChangeDate!.getTime();
    const before = await changed();
    clock += 5000;
    await client.request("GetUsageAllocation", { uniqueIdentifier, usageLimitsCount: 1n });
    const after = await changed();
    expect(after - before).toBe(5000);
    clock += 5000;
    if (version.major === 1 && version.minor < 2) return;
    await client.request("Encrypt", {
      uniqueIdentifier,
      data: new Uint8Array(16),
      cryptographicParameters: { blockCipherMode: "ECB" },
    });
    expect((await changed()) - after).toBe(5000);
  });

  it("is what Check compares with", async () => {
    const uniqueIdentifier = await create(client);
    const check = async (leaseTime: number) =>
      (await client.request("Check", { uniqueIdentifier, leaseTime })).leaseTime;
    expect([await check(599), await check(600), await check(601), await check(0)]).toEqual([
      undefined,
      undefined,
      600,
      600,
    ]);
  });
});

describe("a lease of an object that was made before", () => {
  const newest = { major: 2, minor: 1 };

  it("follows the server's where that is shorter, and keeps its own where not", async () => {
    const uniqueIdentifier = await create(test.as(alice, newest));
    const lease = async (leaseTime: number) => {
      await test.restart({ leaseTime });
      return (await test.as(alice, newest).request("ObtainLease", { uniqueIdentifier })).leaseTime;
    };
    expect([await lease(60), await lease(86_400), await lease(0)]).toEqual([60, 600, 600]);
    const endless = await create(test.as(alice, newest));
    expect((await told(test.as(alice, newest), endless)).leaseTime).toBe(0);
    await test.restart({ leaseTime: 600 });
  });

  it("is imported no longer than the server gives it", async () => {
    const client = test.as(alice, newest);
    const imported = async (leaseTime: number) => {
      const uniqueIdentifier = crypto.randomUUID();
      await client.request("Import", {
        uniqueIdentifier,
        objectType: "SymmetricKey",
        attributes: { ...AES, leaseTime },
        object: {
          symmetricKey: {
            keyBlock: {
              keyFormatType: "Raw",
              keyValue: { keyMaterial: new Uint8Array(32) },
              cryptographicAlgorithm: "AES",
              cryptographicLength: 256,
            },
          },
        },
      });
      return (await told(client, uniqueIdentifier)).leaseTime;
    };
    expect([await imported(60), await imported(3600), await imported(0)]).toEqual([60, 600, 600]);
  });
});
