/**
 * What dumps of stores give away in the strict variant of level `master` (W1, W13), where the HSM has the master key no more: all of them
 * together, with the HSM's key file, open nothing of such a tenant. A tenant beside it, whose master key is in the HSM, shows that the
 * same code finds the way.
 */

import { createPrivateKey } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { withDoors } from "../support/doors.ts";
import { problem } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { Recovery } from "../support/recovery.ts";
import { signedInByIam } from "./changed-units.ts";
import { useSystem } from "./index.ts";
import { Dumps, operators, pairs } from "./operators.ts";
import { appKeyIn, sealServed } from "./served-dumps.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const SECRET = "what no operator may read, nor all of them";
const FOREIGN = "what another tenant has sealed";
const system = useSystem({
  split: true,
  level: "master",
  otherTenants: ["umbrella"],
  levels: { umbrella: "master" },
});
const folder = mkdtempSync(join(tmpdir(), "coffer-dumps-strict-"));
const at = (...names: string[]) => join(folder, ...names);
let dumps: Dumps;

beforeAll(async () => {
  mkdirSync(at("recovery"));
  for (const name of ["own", "foreign"]) mkdirSync(at(name));
  await sealServed(system, at("own"), SECRET);
  const { running } = system;
  const umbrella = { ...system.tenant("umbrella"), running } as typeof system;
  await sealServed(umbrella, at("foreign"), FOREIGN);
  const recovery = new Recovery(system, at("recovery"));
  await recovery.makeStrict();
  dumps = await Dumps.take(system, [at("own"), at("foreign")]);
}, 180_000);
afterAll(() => {
  dumps?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const opened = async (...names: string[]) => (await dumps.lootOfLive(...names)).open();

/** All stores with the HSM's key file, and whatever else. */
function everything() {
  const loot = dumps.lootOf(...operators);
  for (const key of dumps.keysOfHsm()) loot.key(key);
  return loot;
}

describe("W1, W13: dumps of stores, the strict variant of level master", () => {
  it.each(operators)(
    "W1 (W13) strict: store and HSM certificate of the operator of %s open no document",
    async (operator) => {
      expect(await opened(operator)).toEqual([]);
    },
  );

  it.each(pairs)(
    "W13 strict: stores and HSM certificates of the operators of %s and %s open no document",
    async (one, other) => {
      expect(await opened(one, other)).toEqual([]);
    },
  );

  it("W1 strict: IAM, app and the HSM with its key file, which open a tenant's whose master key is there, open none", async () => {
    const loot = dumps.lootOf("app", "iam");
    for (const key of dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toEqual([FOREIGN]);
  });

  it("W1 (W13) strict: all operators together, with live certificates and the HSM's key file, open none", async () => {
    const loot = await dumps.lootOfLive(...operators);
    for (const key of dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toEqual([FOREIGN]);
  });

  it("W13 strict: changed code of the IAM, which says that its operator is the server's user, comes as far as the ceremony", async () => {
    const instance = await InstanceClient.ready(await signedInByIam(system, "server"));
    const challenge = Buffer.alloc(32).toString("base64url");
    const asked = await instance.rest("POST", "/instances/master-key", { challenge });
    expect(problem(asked)).toBe("403 recovery-needed");
  });

  it("W1 strict: an instance's own app-specific key opens it, with Enc(master), Enc(account) and Enc(data)", async () => {
    const key = appKeyIn(at("own"));
    expect(await everything().decryptBy(key).open()).toContain(SECRET);
    // It takes all of them: with the KMS's stores and not the IAM's there is no Enc(account).
    const loot = dumps.lootOf("app", "kms");
    for (const one of dumps.keysOfHsm()) loot.key(one);
    expect(await loot.decryptBy(key).open()).toEqual([]);
  });

  it("W1 strict: the recovery key opens it too, and has to be kept as an instance's", async () => {
    const pem = readFileSync(at("recovery", "recovery.pem"), "utf8");
    const key = createPrivateKey({ key: pem, passphrase: "a secret of the recovery recipient's holder" });
    expect(await everything().decryptBy(key).open()).toContain(SECRET);
  });

  it("W13 a foreign tenant's app-specific key, with all stores, opens that tenant's documents alone", async () => {
    const key = appKeyIn(at("foreign"));
    expect(await everything().decryptBy(key).open()).toEqual([FOREIGN]);
    const loot = await dumps.lootOfLive("app", "iam", "kms");
    expect(await loot.decryptBy(key).open()).toEqual([FOREIGN]);
  });
});
