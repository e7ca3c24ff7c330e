/**
 * What dumps of stores give away at level `master` (W1, W13): an application server keeps ciphertext and its app-specific key beside
 * each other, the KMS Enc(master) and Enc(data) in the HSM, the IAM Enc(account); a browser its app-specific key in its profile's files.
 */

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { scanDirectory, textNeedle } from "../memory/index.ts";
import { withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { askNeighbours, signedInByIam } from "./changed-units.ts";
import { Loot } from "./dumps.ts";
import { askerFor, type Foreign, foreignOf } from "./foreign.ts";
import { useSystem } from "./index.ts";
import { operators, pairs } from "./operators.ts";
import { Profile } from "./profile.ts";
import { SECRET, useServedDumps } from "./served-dumps.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const OF_BROWSER = "what no thief of a profile may read";
const system = useSystem({
  ...{ split: true, level: "master" as const },
  ...{ otherTenants: ["umbrella"], levels: { umbrella: "master" as const } },
});
// Before the dumps are taken.
const profile = new Profile();
beforeAll(() => profile.seal(system, "Ada", OF_BROWSER));
afterAll(() => profile.remove());
const served = useServedDumps(system);
let foreign: Foreign;
beforeAll(async () => {
  foreign = await foreignOf(system, "umbrella", "master");
});

describe("W1, W13: dumps of stores, level master", () => {
  it.each(operators)(
    "W1 (W13) store and HSM certificate of the operator of %s open no document",
    async (operator) => {
      expect(await served.opened(operator)).toEqual([]);
    },
  );

  it.each(pairs)(
    "W13 stores and HSM certificates of the operators of %s and %s open no document",
    async (one, other) => {
      expect(await served.opened(one, other)).toEqual([]);
    },
  );

  it("W1 the files of a browser's profile have the app-specific key in the clear, and open no document", async () => {
    expect(profile.privateKeys().length).toBeGreaterThan(0);
    expect(await profile.into(new Loot()).open()).toEqual([]);
    expect(scanDirectory(profile.path, [textNeedle("sealed text", OF_BROWSER)]).findings).toEqual([]);
  });

  it.each(operators)(
    "W13 a browser's profile with store and HSM certificate of the operator of %s opens no document",
    async (operator) => {
      expect(await profile.into(await served.dumps.lootOfLive(operator)).open()).toEqual([]);
    },
  );

  it.each([
    ["datastore and IAM", ["app", "iam"]],
    ["datastore and KMS", ["app", "kms"]],
    ["IAM and KMS", ["iam", "kms"]],
  ])("W13 a browser's profile with stores and HSM certificates of %s opens no document", async (_, hands) => {
    expect(await profile.into(await served.dumps.lootOfLive(...hands)).open()).toEqual([]);
  });

  it("W13 the limit: a browser's profile with those of datastore, IAM and KMS opens what its person sealed: the handle's bytes are the app-specific key", async () => {
    const loot = await served.dumps.lootOfLive("app", "iam", "kms");
    expect(await loot.open()).toEqual([]);
    expect(await profile.into(loot).open()).toContain(OF_BROWSER);
  });

  it.each(operators)(
    "W13 another tenant's operator, live, with the store of %s opens no document",
    async (operator) => {
      const loot = served.dumps.lootOf(operator);
      await foreign.ask(loot, [served.account]);
      expect(await loot.open()).toEqual([]);
    },
  );

  it("W13 another tenant's operator asks with what stands in all the stores, and gets nothing for it", async () => {
    const loot = served.dumps.lootOf("app", "iam", "ra", "kms", "audit");
    // Two are of the account, whatever stands in the stores.
    expect(await foreign.ask(loot, [served.account])).toBeGreaterThan(2);
    expect(await loot.open()).toEqual([]);
  });

  it.each([
    ["KMS", ["kms"], 3],
    ["RA", ["ra"], 3],
    ["DATASTORE", [], 2],
  ] as const)(
    "W13 what neighbours answer to changed code of the %s, with its store, its HSM certificate, and all ciphertext, opens no document",
    async (unit, live, doors) => {
      const loot = served.dumps.lootOf("app", ...live);
      const server = await EdgeClient.signedIn(system, "server");
      expect((await askNeighbours(system, unit, server, loot)).length).toBeGreaterThanOrEqual(doors);
      await served.dumps.askHsm(loot, ...live);
      expect(await loot.open()).toEqual([]);
    },
  );

  it("W13 the limit: changed code of the IAM says that its operator is the server's user, who enrols an instance, and with the datastore opens all", async () => {
    const loot = served.dumps.lootOf("app");
    expect(await loot.open()).toEqual([]);
    await (await askerFor(await signedInByIam(system, "server"), "master")).ask(loot, [served.account]);
    expect(await loot.open()).toContain(SECRET);
  });

  it("W1 app, IAM and KMS together have every link but the first: it takes the app-specific key", async () => {
    const loot = await served.dumps.lootOfLive("app", "iam", "kms");
    expect(await loot.open()).toEqual([]);
    expect(await loot.decryptBy(served.appKey()).open()).toContain(SECRET);
  });

  it("W1 IAM, app and the HSM with its key file are enough: the master key is in the HSM too", async () => {
    const loot = served.dumps.lootOf("app", "iam");
    for (const key of served.dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });

  it("W13 a recipient that the registration authority certifies for itself gets nothing without the KMS's certificate", async () => {
    expect(await served.opened("app", "iam", "ra", "audit")).toEqual([]);
    expect(served.dumps.given).toBe(0);
  });

  it("W13 with the KMS's too, Enc(account key) and the datastore it opens the document: the master key comes wrapped to it", async () => {
    expect(await served.opened("app", "iam", "ra", "kms")).toContain(SECRET);
  });

  it("W1 (W13) all stores and the HSM's key file open it: the same code finds the way", async () => {
    const loot = served.dumps.lootOf(...operators);
    for (const key of served.dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toEqual(expect.arrayContaining([SECRET, OF_BROWSER]));
  });
});
