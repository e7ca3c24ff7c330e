/**
 * What dumps of stores give away, alone and two by two, with the live certificate at the HSM that goes with them (W1, W13), for a
 * tenant of the level `data` in split operation.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { useSystem } from "./index.ts";
import { Dumps, operators, pairs } from "./operators.ts";

const SECRET = "what no operator may read";
const system = useSystem({ split: true });
let dumps: Dumps;

beforeAll(async () => {
  const { appOrigin: app, vaultOrigin: vault, rootKey } = system.running;
  const client = await connect({ app, vault, rootKey, user: "Ada" });
  const source = new Blob([SECRET]);
  const about = { name: "secret.txt", type: "text/plain", size: source.size };
  await client.documents.seal(source.stream(), client.account(), about);
  client.close();
  dumps = await Dumps.take(system);
});
afterAll(() => dumps?.remove());

const opened = async (...names: string[]) => (await dumps.lootOfLive(...names)).open();

describe("W1, W13: dumps of stores, level data", () => {
  it.each(operators)("W1 (W13) what the operator of %s has opens no document", async (operator) => {
    expect(await opened(operator)).toEqual([]);
  });

  it.each(pairs)("W13 what the operators of %s and %s have opens no document", async (one, other) => {
    expect(await opened(one, other)).toEqual([]);
  });

  it("W1 (W13) with Enc(account key) and the EDK the KMS has the HSM unwrap both, and gets neither", async () => {
    expect(await opened("app", "iam", "kms")).toEqual([]);
    expect(dumps.unwrapped).toBeGreaterThan(1);
  });

  it("W1 app, IAM and the HSM's store without its key file open no document", async () => {
    expect(await dumps.lootOf("app", "iam", "hsm").searchLong().open()).toEqual([]);
  });

  it("W1 KMS, datastore and HSM with its key file have no Enc(account key) at rest", async () => {
    const loot = dumps.lootOf("app", "kms", "hsm");
    for (const key of dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toEqual([]);
  });

  it("W1 (W13) all stores and the HSM's key file open it: the same code finds the way", async () => {
    const loot = dumps.lootOf(...operators);
    for (const key of dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });

  it("W1 IAM, datastore and the HSM with its key file are enough: three hands", async () => {
    const loot = dumps.lootOf("app", "iam");
    for (const key of dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });
});
