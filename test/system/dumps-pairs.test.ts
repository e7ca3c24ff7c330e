/**
 * What dumps of stores give away where account keys are RSA pairs, in the claims' combination of kinds (A2): data AES, account RSA,
 * master AES, app-specific RSA.
 */

import { describe, expect, it } from "vitest";
import { useSystem } from "./index.ts";
import { operators, pairs } from "./operators.ts";
import { SECRET, useServedDumps } from "./served-dumps.ts";

const settings = () => ({ accountKeys: "RSA-3072" }) as const;
const system = useSystem({ split: true, level: "master", settings });
const served = useServedDumps(system);

describe("W1, W13: dumps of stores, account keys that are pairs", () => {
  it.each(operators)(
    "W1 (A2) store and HSM certificate of the operator of %s open no document",
    async (operator) => {
      expect(await served.opened(operator)).toEqual([]);
    },
  );

  it.each(pairs)(
    "W13 (A2) stores and HSM certificates of the operators of %s and %s open no document",
    async (one, other) => {
      expect(await served.opened(one, other)).toEqual([]);
    },
  );

  it("W1 (A2) app, IAM and KMS together have every link but the first: it takes the app-specific key", async () => {
    const loot = await served.dumps.lootOfLive("app", "iam", "kms");
    // For the KMS's certificate the HSM unwrapped pair and data key, and gave neither.
    expect(served.dumps.unwrapped).toBeGreaterThan(1);
    expect(await loot.open()).toEqual([]);
    expect(await loot.decryptBy(served.appKey()).open()).toContain(SECRET);
  });

  it("W13 (A2) a recipient that the registration authority certifies for itself gets nothing without the KMS's certificate", async () => {
    expect(await served.opened("app", "iam", "ra", "audit")).toEqual([]);
    expect(served.dumps.given).toBe(0);
  });

  it("W13 (A2) with the KMS's too, Enc(account key) and the datastore it opens the document: the master key comes wrapped to it", async () => {
    expect(await served.opened("app", "iam", "ra", "kms")).toContain(SECRET);
  });

  it("W1 (A2) all stores and the HSM's key file open it: the same code finds the way", async () => {
    const loot = served.dumps.lootOf(...operators);
    for (const key of served.dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });
});
