/** What dumps of stores give away where account keys are RSA pairs, and the master key is one too: data AES, account RSA, master RSA, app-specific RSA. */

import { describe, expect, it } from "vitest";
import { useSystem } from "./index.ts";
import { operators, pairs } from "./operators.ts";
import { SECRET, useServedDumps } from "./served-dumps.ts";

const settings = () => ({ accountKeys: "RSA-3072" }) as const;
const system = useSystem({ split: true, level: "master", masterKey: "RSA-3072", settings });
const served = useServedDumps(system);

describe("W1, W13: dumps of stores, master and account keys that are pairs", () => {
  it.each(operators)(
    "W1 (master RSA) store and HSM certificate of the operator of %s open no document",
    async (operator) => {
      expect(await served.opened(operator)).toEqual([]);
    },
  );

  it.each(pairs)(
    "W13 (master RSA) stores and HSM certificates of the operators of %s and %s open no document",
    async (one, other) => {
      expect(await served.opened(one, other)).toEqual([]);
    },
  );

  it("W1 (master RSA) app, IAM and KMS together have every link but the first: it takes the app-specific key", async () => {
    const loot = await served.dumps.lootOfLive("app", "iam", "kms");
    // For the KMS's certificate the HSM unwrapped content-encryption key, pair and data key, and gave none.
    expect(served.dumps.unwrapped).toBeGreaterThan(2);
    expect(await loot.open()).toEqual([]);
    expect(await loot.decryptBy(served.appKey()).open()).toContain(SECRET);
  });

  it("W1 (master RSA) all stores and the HSM's key file open it: the same code finds the way", async () => {
    const loot = served.dumps.lootOf(...operators);
    expect(await loot.open()).toEqual([]);
    for (const key of served.dumps.keysOfHsm()) loot.key(key);
    for (const key of served.dumps.privateKeysOfHsm()) loot.decryptBy(key);
    expect(await loot.open()).toContain(SECRET);
  });
});
