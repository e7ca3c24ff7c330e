/** W8 with an HSM whose process ends and comes back, and whose keys are changed behind the KMS; the edge runs on all the time. */

import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, it, vi } from "vitest";
import { rotateMasterKey } from "#cli/master-key.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { encryptedDataKeyName, IDENTITY, named } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { killHsm, startHsmAgain, withHsmProcess } from "../support/hsm-child.ts";
import { json, problem } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { hsmClient } from "../system/hsm.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#emulator/hsm/index.ts", async (original) => withHsmProcess(await original()));

/** Longer than twice the interval: a key that was looked after too seldom is not fetched again meanwhile. */
const KEPT_SECONDS = 14;
const POLL_SECONDS = 5;
/** What a busy machine may take beside the interval: less than half of it, so that twice the interval is too long. Milliseconds. */
const SLACK = 2500;
/** How long something is waited for beside its time, where it is not that which is measured. Milliseconds. */
const PATIENCE = 12_000;
/** How long a word of the HSM on which master key is at work is good, whatever the poll interval is (`edge/kms/master-key.ts`). Milliseconds. */
const MASTER_KNOWN = 10_000;

const system = useSystem({
  level: "master",
  vars: { COFFER_KEY_CACHE_SECONDS: String(KEPT_SECONDS), COFFER_KEY_POLL_SECONDS: String(POLL_SECONDS) },
});
let instance: InstanceClient;
beforeAll(async () => {
  instance = await InstanceClient.ready(await EdgeClient.signedIn(system, "Ann"));
});

type Ki = { keyId: string; keyVersion: number };
async function identifier(): Promise<Ki> {
  const { account } = instance;
  return json(await instance.rest("POST", "/instances/key-identifiers", { account, purpose: "document" }));
}
const dataKey = ({ keyId, keyVersion }: Ki) =>
  instance.rest("GET", `/instances/accounts/${instance.account}/data-keys/${keyId}.${keyVersion}`);
const masterKey = () => {
  const challenge = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
  return instance.rest("POST", "/instances/master-key", { challenge });
};
type Named = { keyId: string; keyVersion: number };
const namedMaster = async () => {
  const { payload } = jwsParts(json<{ receipt: string }>(await masterKey()).receipt);
  return JSON.parse(new TextDecoder().decode(payload)) as Named;
};
const masterId = async () => (await namedMaster()).keyId;

/** Asks again and again until it is so; how long that took, in milliseconds. */
async function until(isSo: () => Promise<boolean>, most: number): Promise<number> {
  const began = Date.now();
  while (!(await isSo())) {
    if (Date.now() - began > most) return Number.POSITIVE_INFINITY;
    await pause(100);
  }
  return Date.now() - began;
}

it("W8 serves what it has kept while the HSM's process is gone, until its time is over, and goes on without a restart when it is back", async () => {
  const ki = await identifier();
  const fetched = Date.now();
  expect((await masterKey()).status).toBe(200);
  expect((await dataKey(ki)).status).toBe(200);
  await killHsm();
  try {
    expect((await dataKey(ki)).status).toBe(200);
    const refused = async () => (await dataKey(ki)).status !== 200;
    const refusedMaster = until(
      async () => (await masterKey()).status !== 200,
      KEPT_SECONDS * 1000 + PATIENCE,
    );
    const served = await until(refused, KEPT_SECONDS * 1000 + PATIENCE);
    console.log(`served for ${served} ms after the HSM was killed, of ${KEPT_SECONDS} s that a key is kept`);
    expect(served).toBeLessThan(Number.POSITIVE_INFINITY);
    // That the HSM could not be asked whether it is still as it was ends nothing before its time.
    expect(Date.now() - fetched).toBeGreaterThanOrEqual(KEPT_SECONDS * 1000);
    expect(problem(await dataKey(ki))).toBe("503 hsm-unavailable");
    // So it is at a start at level master, which goes on to be vouched for.
    expect(await refusedMaster).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(Date.now() - fetched).toBeGreaterThanOrEqual(KEPT_SECONDS * 1000);
    expect(problem(await masterKey())).toBe("503 hsm-unavailable");
  } finally {
    await startHsmAgain();
  }
  const back = await until(async () => (await dataKey(ki)).status === 200, 20_000);
  console.log(`served again ${back} ms after the HSM was back`);
  expect(back).toBeLessThan(Number.POSITIVE_INFINITY);
  expect((await masterKey()).status).toBe(200);
});

/** Behind the KMS. */
async function destroyAtHsm({ keyId, keyVersion }: Ki): Promise<void> {
  const kms = await hsmClient(system, IDENTITY.kms);
  const name = named(encryptedDataKeyName(keyId, keyVersion));
  const { uniqueIdentifier } = await kms.request("Locate", { attributes: { name } });
  expect(uniqueIdentifier).toHaveLength(1);
  await kms.request("Destroy", { uniqueIdentifier: uniqueIdentifier[0]! });
  kms.close();
}
const newVersion = () =>
  instance.rest("POST", `/instances/accounts/${instance.account}/data-keys`, { purpose: "document" });

it("W8 refuses a data key that was destroyed at the HSM behind the KMS, within one poll interval", async () => {
  const first = await identifier();
  await newVersion();
  // It is not kept yet: its fetch brings the other with it, so that both were looked after now.
  expect((await dataKey(await identifier())).status).toBe(200);
  expect((await dataKey(first)).status).toBe(200);
  await destroyAtHsm(first);
  const gone = await until(async () => (await dataKey(first)).status !== 200, POLL_SECONDS * 1000 + PATIENCE);
  console.log(`refused ${gone} ms after it was destroyed; the poll interval is ${POLL_SECONDS} s`);
  expect(gone).toBeLessThan(POLL_SECONDS * 1000 + SLACK);
  expect(problem(await dataKey(first))).toMatch(/^40[34] /);
  // The account's other version is as it was.
  expect((await dataKey(await identifier())).status).toBe(200);
});

it("W12 takes Enc(master) of an instance that was revoked while the HSM was away from it when it is back", async () => {
  const ann = await EdgeClient.signedIn(system, "Ann");
  const second = await InstanceClient.ready(ann);
  const challenge = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
  expect((await second.rest("POST", "/instances/master-key", { challenge })).status).toBe(200);
  const id = second.enrolled.instance;
  const row = readRows(system.edgeDir, "encrypted_masters").find(({ instance }) => instance === id);
  const kept = async () => {
    const kms = await hsmClient(system, IDENTITY.kms);
    const name = named(String(row?.name));
    const { uniqueIdentifier } = await kms.request("Locate", { attributes: { name } });
    kms.close();
    return uniqueIdentifier.length;
  };
  expect(await kept()).toBe(1);
  await killHsm();
  try {
    expect((await ann.rest("DELETE", `/ra/instances/${id}`)).status).toBe(204);
  } finally {
    await startHsmAgain();
  }
  await expect.poll(kept, { timeout: 60_000, interval: 500 }).toBe(0);
  expect(readRows(system.edgeDir, "encrypted_masters").map(({ instance }) => instance)).not.toContain(id);
});

it("W8, W12 gives no master key that another one has replaced at the HSM, once it has asked again", async () => {
  const { keyId: before, keyVersion } = await namedMaster();
  expect(keyVersion).toBe(1);
  const officer = await hsmClient(system, IDENTITY.officer);
  const { successor } = await rotateMasterKey(officer, "development", new Date());
  officer.close();
  const followed = await until(async () => (await masterId()) !== before, MASTER_KNOWN + PATIENCE);
  console.log(
    `the new master key is given ${followed} ms after the rotation, of ${MASTER_KNOWN} that a word is good`,
  );
  expect(followed).toBeLessThan(MASTER_KNOWN + SLACK);
  expect(await namedMaster()).toMatchObject({ keyId: successor, keyVersion: 2 });
});

it("W8 counts hits, misses, and what was stale or too old, and a memory that was lost begins again under another name", async () => {
  type Line = { memory: string; since: number; hit: number; miss: number; stale: number; evicted: number };
  const lines = (): Line[] =>
    [...system.log().matchAll(/\{[^{}]*key-cache[^{}]*\}/g)].map(([line]) =>
      JSON.parse(line.replaceAll("\\", "")),
    );
  /** The last word of each memory. */
  const last = () => [...new Map(lines().map((line) => [line.memory, line])).values()];
  const sum = (what: "stale" | "evicted") => last().reduce((all, line) => all + line[what], 0);
  const before = { stale: sum("stale"), evicted: sum("evicted") };
  const old = await identifier();
  await newVersion();
  // As above: fetched now, so that it is looked after before its time is over.
  expect((await dataKey(await identifier())).status).toBe(200);
  expect((await dataKey(old)).status).toBe(200);
  await destroyAtHsm(old);
  await until(async () => (await dataKey(old)).status !== 200, POLL_SECONDS * 1000 + PATIENCE);
  await expect.poll(() => sum("stale")).toBeGreaterThan(before.stale);
  const ki = await identifier();
  expect((await dataKey(ki)).status).toBe(200);
  await pause(KEPT_SECONDS * 1000 + 500);
  expect((await dataKey(ki)).status).toBe(200);
  await expect.poll(() => sum("evicted")).toBeGreaterThan(before.evicted);
  expect((await dataKey(ki)).status).toBe(200);
  await expect.poll(() => last().some(({ hit, miss }) => hit > 0 && miss > 0)).toBe(true);
  const known = new Set(lines().map(({ memory }) => memory));
  // An object's memory goes with it, here with all of them.
  await system.restart();
  expect((await dataKey(ki)).status).toBe(200);
  const fresh = () => last().find(({ memory, hit, miss }) => !known.has(memory) && hit + miss > 0);
  await expect.poll(fresh).toMatchObject({ hit: 0, miss: 1, stale: 0, evicted: 0 });
  const earliest = Math.min(...lines().map(({ since }) => since));
  expect(fresh()!.since).toBeGreaterThan(earliest);
});
