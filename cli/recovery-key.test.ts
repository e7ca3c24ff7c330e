import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type TestHsm, testHsm } from "#emulator/hsm/testing/deployment.ts";
import { wrappedImport } from "#emulator/hsm/testing/hierarchy.ts";
import {
  encryptedMasterKeyName,
  IDENTITY,
  KEY,
  masterKeyName,
  named,
  POLICY,
  policy,
  policyAttribute,
} from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { ensureMasterKey, NoMasterKey, OtherLevel, retireMasterKey, rotateMasterKey } from "./master-key.ts";
import {
  bringRecoveryKey,
  destroyMasterKey,
  NotRecoverable,
  removeRecoveryKey,
  thumbprintOf,
} from "./recovery-key.ts";

const NOW = new Date();
const FOR = "r".repeat(43);
let test: TestHsm;
let officer: KmipClient;

beforeAll(async () => {
  test = await testHsm();
  officer = test.as(IDENTITY.officer);
});
afterAll(() => test.close());

function recoveryKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
  const pkcs8 = new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }));
  return { pkcs8, recipient: thumbprintOf(pkcs8) };
}

async function masterOf(tenant: string): Promise<string> {
  await ensureMasterKey(officer, { name: tenant, level: "master" }, NOW);
  const attributes = { name: named(masterKeyName(tenant)) };
  const { uniqueIdentifier } = await officer.request("Locate", { attributes });
  expect(uniqueIdentifier).toHaveLength(1);
  return uniqueIdentifier[0]!;
}

/** As the KMS keeps Enc(master) for a recipient. */
async function keep(master: string, recipient: string): Promise<void> {
  const uniqueIdentifier = crypto.randomUUID();
  const { object } = wrappedImport(uniqueIdentifier, "recipient", new Uint8Array(384).fill(7));
  await test.as(IDENTITY.kms).request("Import", {
    ...{ uniqueIdentifier, objectType: "SymmetricKey", keyWrapType: "AsRegistered", object },
    attributes: { ...KEY, name: named(encryptedMasterKeyName(master, recipient)) },
  });
}

async function attributesOf(uniqueIdentifier: string) {
  return (await officer.request("GetAttributes", { uniqueIdentifier, attributeReference: [] })).attributes;
}

it("W1 destroys a master key that its recovery recipient has, says so, and makes no other in its place", async () => {
  const { recipient } = recoveryKey();
  const master = await masterOf("strict");
  await expect(destroyMasterKey(officer, "strict", recipient)).rejects.toThrow(NotRecoverable);
  expect((await attributesOf(master)).state).toBe("Active");
  await keep(master, recipient);
  await expect(destroyMasterKey(officer, "strict", recoveryKey().recipient)).rejects.toThrow(NotRecoverable);
  expect(policyAttribute(await attributesOf(master), POLICY.recovery)).toBeUndefined();
  expect(await destroyMasterKey(officer, "strict", recipient)).toBe(master);
  expect((await attributesOf(master)).state).toBe("Destroyed");
  expect(policyAttribute(await attributesOf(master), POLICY.recovery)).toBe(recipient);
  await ensureMasterKey(officer, { name: "strict", level: "master" }, NOW);
  const attributes = { name: named(masterKeyName("strict")) };
  expect((await officer.request("Locate", { attributes })).uniqueIdentifier).toEqual([]);
  await expect(destroyMasterKey(officer, "strict", recipient)).rejects.toThrow(NoMasterKey);
});

it("W1 goes on where destroying was cut off, and takes no other recipient by then", async () => {
  const { recipient } = recoveryKey();
  const master = await masterOf("cut-off");
  await keep(master, recipient);
  const vendorAttributes = [policy(POLICY.recovery, recipient)];
  await officer.request("AddAttribute", { uniqueIdentifier: master, newAttribute: { vendorAttributes } });
  const revocationReason = { revocationReasonCode: "CessationOfOperation" as const };
  await officer.request("Revoke", { uniqueIdentifier: master, revocationReason });
  const another = recoveryKey().recipient;
  await keep(master, another);
  await expect(destroyMasterKey(officer, "cut-off", another)).rejects.toThrow("another recovery recipient");
  await destroyMasterKey(officer, "cut-off", recipient);
  expect((await attributesOf(master)).state).toBe("Destroyed");
});

it("W1 destroys no master key of another level, and none while a rotation is under way", async () => {
  for (const level of ["data", "account"] as const) {
    await ensureMasterKey(officer, { name: `kept-${level}`, level }, NOW);
    await expect(destroyMasterKey(officer, `kept-${level}`, FOR)).rejects.toThrow(OtherLevel);
  }
  const { recipient } = recoveryKey();
  await masterOf("rotated");
  const { successor } = await rotateMasterKey(officer, "rotated", NOW);
  await keep(successor, recipient);
  await expect(destroyMasterKey(officer, "rotated", recipient)).rejects.toThrow("replaced another");
  await retireMasterKey(officer, "rotated");
  expect(await destroyMasterKey(officer, "rotated", recipient)).toBe(successor);
});

it("W1 brings the recovery key that was said, for one recipient, and takes it away", async () => {
  const { pkcs8, recipient } = recoveryKey();
  const bring = (key: Uint8Array<ArrayBuffer>) =>
    bringRecoveryKey(officer, "brought", { pkcs8: key, restoredFor: FOR }, NOW);
  const master = await masterOf("brought");
  await keep(master, recipient);
  await expect(bring(pkcs8)).rejects.toThrow(NotRecoverable);
  await destroyMasterKey(officer, "brought", recipient);
  await expect(bring(recoveryKey().pkcs8)).rejects.toThrow(NotRecoverable);
  const uid = await bring(pkcs8);
  expect((await attributesOf(uid)).state).toBe("Active");
  expect(policyAttribute(await attributesOf(uid), POLICY.restoredFor)).toBe(FOR);
  const { deactivationDate } = await attributesOf(uid);
  expect(deactivationDate?.getTime()).toBeLessThanOrEqual(Date.now() + 60 * 60_000);
  // One ceremony at a time.
  await expect(bring(pkcs8)).rejects.toMatchObject({ code: "NonUniqueNameAttribute" });
  await removeRecoveryKey(officer, uid);
  expect((await attributesOf(uid)).state).toBe("Destroyed");
  await removeRecoveryKey(officer, await bring(pkcs8));
});

it("W1 takes away a recovery key, and no other key", async () => {
  const master = await masterOf("not-taken");
  await expect(removeRecoveryKey(officer, master)).rejects.toThrow(NotRecoverable);
  expect((await attributesOf(master)).state).toBe("Active");
  const { pkcs8, recipient } = recoveryKey();
  await keep(master, recipient);
  await destroyMasterKey(officer, "not-taken", recipient);
  const uid = await bringRecoveryKey(officer, "not-taken", { pkcs8, restoredFor: FOR }, NOW);
  const revocationReason = { revocationReasonCode: "CessationOfOperation" as const };
  await officer.request("Revoke", { uniqueIdentifier: uid, revocationReason });
  // Out of use, as it is after an hour.
  await removeRecoveryKey(officer, uid);
  expect((await attributesOf(uid)).state).toBe("Destroyed");
});
