import { afterAll, beforeAll, expect, it } from "vitest";
import { type TestHsm, testHsm } from "#emulator/hsm/testing/deployment.ts";
import {
  IDENTITY,
  KEY,
  masterKeyName,
  named,
  POLICY,
  policy,
  policyAttribute,
  USAGE,
  users,
} from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { LEVELS, type Level } from "#protocol/level.ts";
import { allowOperations, areOperationsAllowed } from "./allow-operations.ts";
import { readPolicy } from "./hsm-object.ts";
import {
  ensureMasterKey,
  NoMasterKey,
  OtherKind,
  OtherLevel,
  retireMasterKey,
  rotateMasterKey,
} from "./master-key.ts";
import { destroyMasterKey } from "./recovery-key.ts";
import { keepReplaced, retirementOf, scheduleRetirement } from "./retirement.ts";

const NOW = new Date();
let test: TestHsm;
let officer: KmipClient;

beforeAll(async () => {
  test = await testHsm();
  officer = test.as(IDENTITY.officer);
});
afterAll(() => test.close());

async function find(nameValue: string): Promise<string> {
  const { uniqueIdentifier } = await officer.request("Locate", { attributes: { name: named(nameValue) } });
  expect(uniqueIdentifier).toHaveLength(1);
  return uniqueIdentifier[0]!;
}

it("W1 makes a tenant's master key for a level, which it never takes for another", async () => {
  const make = (name: string, level: Level) => ensureMasterKey(officer, { name, level }, NOW);
  const attributesOf = async (tenant: string) => {
    const uniqueIdentifier = await find(masterKeyName(tenant));
    return (await officer.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).attributes;
  };
  for (const level of LEVELS) {
    await make(level, level);
    expect(await attributesOf(level)).toMatchObject({ extractable: level === "master", sensitive: true });
    expect(policyAttribute(await attributesOf(level), POLICY.level)).toBe(level);
    await make(level, level);
    for (const other of LEVELS)
      if (other !== level) await expect(make(level, other)).rejects.toThrow(OtherLevel);
  }
  const refusal = "master key of data was made for level data, not account";
  await expect(make("data", "account")).rejects.toThrow(refusal);
});

it("W1 takes a master key of before there were levels for one of the level data", async () => {
  await officer.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...{ ...KEY, name: named(masterKeyName("early")), cryptographicUsageMask: [...USAGE.master] },
      ...{ activationDate: NOW, vendorAttributes: [policy(POLICY.class, "master")] },
    },
  });
  await expect(ensureMasterKey(officer, { name: "early", level: "master" }, NOW)).rejects.toThrow(OtherLevel);
  await ensureMasterKey(officer, { name: "early", level: "data" }, NOW);
});

async function stateOf(uniqueIdentifier: string) {
  const attributeReference = ["state" as const];
  return (await officer.request("GetAttributes", { uniqueIdentifier, attributeReference })).attributes.state;
}

it("M16 gives a new master key the officer's word on operations that the old one has", async () => {
  for (const [tenant, allowed] of [
    ["operating", true],
    ["ceased", false],
  ] as const) {
    await ensureMasterKey(officer, { name: tenant, level: "data" }, NOW);
    expect(await areOperationsAllowed(officer, tenant)).toBe(false);
    await allowOperations(officer, tenant, true);
    await allowOperations(officer, tenant, allowed);
    await rotateMasterKey(officer, tenant, NOW);
    expect(await areOperationsAllowed(officer, tenant)).toBe(allowed);
  }
});

it("M16 forbids operations, and allows them, below a master key that was replaced and is not retired", async () => {
  const name = "operating-replaced";
  await ensureMasterKey(officer, { name, level: "data" }, NOW);
  await allowOperations(officer, name, true);
  const { replaced, successor } = await rotateMasterKey(officer, name, NOW);
  for (const allowed of [false, true, false]) {
    await allowOperations(officer, name, allowed);
    for (const key of [replaced, successor])
      expect(await readPolicy(officer, key, POLICY.operations)).toBe(String(allowed));
    expect(await areOperationsAllowed(officer, name)).toBe(allowed);
  }
  await officer.request("ModifyAttribute", {
    uniqueIdentifier: replaced,
    currentAttribute: { vendorAttributes: [policy(POLICY.operations, "false")] },
    newAttribute: { vendorAttributes: [policy(POLICY.operations, "true")] },
  });
  expect(await areOperationsAllowed(officer, name)).toBe(true);
  await retireMasterKey(officer, name);
  expect(await areOperationsAllowed(officer, name)).toBe(false);
});

it("W12 gives a tenant a new master key of the same level, under the name of the old one", async () => {
  for (const level of LEVELS) {
    const name = `rotated-${level}`;
    await ensureMasterKey(officer, { name, level }, NOW);
    const before = await find(masterKeyName(name));
    const { replaced, successor } = await rotateMasterKey(officer, name, NOW);
    expect(replaced).toBe(before);
    expect(await find(masterKeyName(name))).toBe(successor);
    expect([await stateOf(replaced), await stateOf(successor)]).toEqual(["Active", "Active"]);
    // Bootstrapping goes on with the new one.
    await ensureMasterKey(officer, { name, level }, NOW);
    expect(await find(masterKeyName(name))).toBe(successor);
  }
});

it("W12 tells of the rotation under way until the old key is retired", async () => {
  const name = "resumed";
  await ensureMasterKey(officer, { name, level: "data" }, NOW);
  expect(await retireMasterKey(officer, name)).toBeUndefined();
  const first = await rotateMasterKey(officer, name, NOW);
  expect(await rotateMasterKey(officer, name, NOW)).toEqual(first);
  expect(await retireMasterKey(officer, name)).toBe(first.replaced);
  expect(await stateOf(first.replaced)).toBe("Destroyed");
  expect(await retireMasterKey(officer, name)).toBeUndefined();
  const second = await rotateMasterKey(officer, name, NOW);
  expect(second.replaced).toBe(first.successor);
  // Cut off between its two steps, retiring is taken up again, and is in nobody's way.
  await officer.request("Revoke", {
    uniqueIdentifier: second.replaced,
    revocationReason: { revocationReasonCode: "Superseded" },
  });
  expect(await retireMasterKey(officer, name)).toBe(second.replaced);
  expect(await stateOf(second.replaced)).toBe("Destroyed");
});

it("W12 an old master key goes out of use when it is time, by the HSM itself, is kept as long as it has not come, and is destroyed afterwards alone", async () => {
  const name = "scheduled";
  const day = 86_400_000;
  const now = () => new Date();
  const after = (ms: number) => new Date(Math.ceil((Date.now() + ms) / 1000) * 1000);
  await ensureMasterKey(officer, { name, level: "data" }, NOW);
  expect(await scheduleRetirement(officer, name, after(day), now())).toBeUndefined();
  const { replaced, successor } = await rotateMasterKey(officer, name, NOW);
  expect(await retirementOf(officer, name, now())).toEqual({ replaced, live: true, ends: undefined });
  const ends = after(7 * day);
  expect(await scheduleRetirement(officer, name, ends, now())).toEqual({ replaced, live: true, ends });
  expect(await scheduleRetirement(officer, name, after(30 * day), now())).toMatchObject({ ends });
  expect(await stateOf(replaced)).toBe("Active");
  // It is the officer's to say, and nobody's who uses the key.
  const sooner = { uniqueIdentifier: replaced, newAttribute: { deactivationDate: after(1000) } };
  await expect(test.as(IDENTITY.kms).request("ModifyAttribute", sooner)).rejects.toThrow();
  expect(await keepReplaced(officer, name, now())).toMatchObject({ ends: undefined });
  expect(await retirementOf(officer, name, now())).toEqual({ replaced, live: true, ends: undefined });

  await scheduleRetirement(officer, name, after(1000), now());
  await expect.poll(() => stateOf(replaced), { timeout: 10_000 }).toBe("Deactivated");
  expect(await keepReplaced(officer, name, now())).toMatchObject({ live: false });
  expect(await stateOf(replaced)).toBe("Deactivated");
  expect(await stateOf(successor)).toBe("Active");
  // Another rotation leaves none behind of which nobody would know.
  const next = await rotateMasterKey(officer, name, NOW);
  expect(next.replaced).toBe(successor);
  expect(await stateOf(replaced)).toBe("Destroyed");
});

it("W12 leaves everything as it was where the HSM refuses the successor", async () => {
  const name = "refused";
  await ensureMasterKey(officer, { name, level: "data" }, NOW);
  const before = await find(masterKeyName(name));
  await officer.request("Revoke", {
    uniqueIdentifier: before,
    revocationReason: { revocationReasonCode: "CessationOfOperation" },
  });
  await expect(rotateMasterKey(officer, name, NOW)).rejects.toThrow("not at work");
  expect(await find(masterKeyName(name))).toBe(before);
});

it("W12 rotates no key of a tenant that has none", async () => {
  await expect(rotateMasterKey(officer, "nobody", NOW)).rejects.toThrow(NoMasterKey);
  await expect(retireMasterKey(officer, "nobody")).rejects.toThrow(NoMasterKey);
});

it("W9 takes a master key of an earlier release from the IAM", async () => {
  const tenant = { name: "shared", level: "data" } as const;
  const { uniqueIdentifier } = await officer.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...{ ...KEY, name: named(masterKeyName(tenant.name)), cryptographicUsageMask: [...USAGE.master] },
      ...{ activationDate: NOW, vendorAttributes: [policy(POLICY.class, "master"), users("iam", "kms")] },
    },
  });
  for (const _ of [1, 2]) {
    await ensureMasterKey(officer, tenant, NOW);
    const request = { uniqueIdentifier, attributeReference: [] };
    const { attributes } = await officer.request("GetAttributes", request);
    expect(policyAttribute(attributes, POLICY.users)).toBe(IDENTITY.kms);
    expect((await test.as(IDENTITY.kms).request("GetAttributes", request)).attributes).toBeDefined();
  }
});

it("W1 makes a master key that is a pair, keeps no public half, and rotates to it and from it", async () => {
  const attributesOf = async (uniqueIdentifier: string) =>
    (await officer.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).attributes;
  const publicKeys = async () =>
    (await officer.request("Locate", { attributes: { objectType: "PublicKey" } })).uniqueIdentifier;
  const before = await publicKeys();
  const tenant = { name: "pair", level: "master", masterKey: "RSA-3072" } as const;
  await ensureMasterKey(officer, tenant, NOW);
  const first = await find(masterKeyName("pair"));
  expect(await attributesOf(first)).toMatchObject({
    ...{ objectType: "PrivateKey", cryptographicLength: 3072, state: "Active" },
    ...{ sensitive: true, extractable: true },
  });
  await ensureMasterKey(officer, tenant, NOW);
  await expect(destroyMasterKey(officer, "pair", "r".repeat(43))).rejects.toThrow(OtherKind);
  const second = await rotateMasterKey(officer, "pair", NOW);
  expect(second.replaced).toBe(first);
  expect(await rotateMasterKey(officer, "pair", NOW, "RSA-3072")).toEqual(second);
  expect(await attributesOf(second.successor)).toMatchObject({ objectType: "SymmetricKey" });
  expect(await retireMasterKey(officer, "pair")).toBe(first);
  const third = await rotateMasterKey(officer, "pair", NOW, "RSA-3072");
  expect(third.replaced).toBe(second.successor);
  expect(await attributesOf(third.successor)).toMatchObject({ objectType: "PrivateKey", state: "Active" });
  expect(await find(masterKeyName("pair"))).toBe(third.successor);
  expect(await publicKeys()).toEqual(before);
});
