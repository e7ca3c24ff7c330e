/**
 * What dumps of stores give away at level `master` where app-specific keys are symmetric (W1, W13): an application server keeps its own,
 * encrypted to its RSA key, beside its ciphertext; and what the operator of another tenant makes of each store.
 */

import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { keepSymmetricKey, symmetricKeyFile } from "#web/hosts/node/index.ts";
import { type Foreign, foreignOf } from "./foreign.ts";
import { useSystem } from "./index.ts";
import { operators, pairs } from "./operators.ts";
import { SECRET, useServedDumps } from "./served-dumps.ts";

const system = useSystem({
  ...{ split: true, level: "master", settings: () => ({ appKeys: "AES-256" as const }) },
  ...{ otherTenants: ["umbrella"], levels: { umbrella: "master" as const } },
});
// Its app-specific key is kept encrypted to the RSA key of its file.
const served = useServedDumps(system, (dir) => ({
  symmetricKey: keepSymmetricKey(symmetricKeyFile(join(dir, "app-specific-key.json"))),
}));
let foreign: Foreign;
beforeAll(async () => {
  foreign = await foreignOf(system, "umbrella", "master");
});

describe("W1, W13: dumps of stores, level master, app-specific keys symmetric", () => {
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

  it.each(operators)(
    "W13 another tenant's operator, live, with the store of %s opens no document",
    async (operator) => {
      const loot = served.dumps.lootOf(operator);
      await foreign.ask(loot, [served.account]);
      expect(await loot.open()).toEqual([]);
    },
  );

  it("W13 another tenant's operator is asked with what stands in the stores, and gets nothing for it", async () => {
    const loot = served.dumps.lootOf("app", "iam", "ra", "kms", "audit");
    expect(await foreign.ask(loot, [served.account])).toBeGreaterThan(2);
    expect(await loot.open()).toEqual([]);
  });

  it("W1 app, IAM and KMS together have every link but the first: it takes the key that the app-specific key is kept under", async () => {
    const loot = await served.dumps.lootOfLive("app", "iam", "kms");
    expect(await loot.open()).toEqual([]);
    expect(await loot.decryptBy(served.appKey()).open()).toContain(SECRET);
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
    expect(await loot.open()).toContain(SECRET);
  });
});
