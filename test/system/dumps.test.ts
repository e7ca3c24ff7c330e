/**
 * What dumps of stores give away, alone and two by two, with the live certificate at the HSM that goes with them (W1, W13), for a
 * tenant of the level `data` in split operation; and what an operator gets who changes the unit that runs.
 */

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { connect } from "#cli/client.ts";
import { withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { problem } from "../support/http.ts";
import { askNeighbours, download, loadByApp, signedInByIam, tokenByIam, type Unit } from "./changed-units.ts";
import { Loot } from "./dumps.ts";
import { askerFor, type Foreign, foreignOf } from "./foreign.ts";
import { useSystem } from "./index.ts";
import { Dumps, operators, pairs } from "./operators.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const SECRET = "what no operator may read";
const system = useSystem({ split: true, otherTenants: ["umbrella"] });
let dumps: Dumps;
let account: string;
let foreign: Foreign;

beforeAll(async () => {
  const { appOrigin: app, vaultOrigin: vault, rootKey } = system.running;
  const client = await connect({ app, vault, rootKey, user: "Ada" });
  const source = new Blob([SECRET]);
  const about = { name: "secret.txt", type: "text/plain", size: source.size };
  account = client.account();
  await client.documents.seal(source.stream(), account, about);
  client.close();
  dumps = await Dumps.take(system);
  foreign = await foreignOf(system, "umbrella", "data");
});
afterAll(() => dumps?.remove());

const opened = async (...names: string[]) => (await dumps.lootOfLive(...names)).open();

describe("W1, W13: dumps of stores, level data", () => {
  it.each(operators)(
    "W1 (W13) store and HSM certificate of the operator of %s open no document",
    async (operator) => {
      expect(await opened(operator)).toEqual([]);
    },
  );

  it.each(pairs)(
    "W13 stores and HSM certificates of the operators of %s and %s open no document",
    async (one, other) => {
      expect(await opened(one, other)).toEqual([]);
    },
  );

  it.each(operators)(
    "W13 another tenant's operator, live, with the store of %s opens no document",
    async (operator) => {
      const loot = dumps.lootOf(operator);
      await foreign.ask(loot, [account]);
      expect(await loot.open()).toEqual([]);
    },
  );

  it("W13 another tenant's operator asks with what stands in all the stores, and gets nothing for it", async () => {
    const loot = dumps.lootOf("app", "iam", "ra", "kms", "audit");
    expect(await foreign.ask(loot, [account])).toBeGreaterThan(0);
    expect(await loot.open()).toEqual([]);
  });

  it("W1 (W13) with Enc(account key) and the EDK the KMS has the HSM unwrap both, and gets neither", async () => {
    expect(await opened("app", "iam", "kms")).toEqual([]);
    expect(dumps.unwrapped).toBeGreaterThan(1);
  });

  it("W13 a recipient that the registration authority certifies for itself gets nothing without the KMS's certificate", async () => {
    expect(await opened("app", "iam", "ra", "audit")).toEqual([]);
    expect(dumps.given).toBe(0);
  });

  it("W13 with the KMS's too, Enc(account key) and the datastore it opens the document: the HSM wraps to it", async () => {
    expect(await opened("app", "iam", "ra", "kms")).toContain(SECRET);
    expect(dumps.given).toBeGreaterThan(0);
  });

  it.each([
    ["KMS", ["kms"], 3],
    ["RA", ["ra"], 3],
    ["DATASTORE", [], 2],
    ["KMS and DATASTORE", ["kms"], 5],
    ["RA and DATASTORE", ["ra"], 5],
  ] as const)(
    "W13 what neighbours answer to changed code of the %s, with its store, its HSM certificate, and all ciphertext, opens no document",
    async (units, live, doors) => {
      const loot = dumps.lootOf("app", ...live);
      const ada = await EdgeClient.signedIn(system, "Ada");
      const answered: string[] = [];
      for (const unit of units.split(" and ") as Unit[])
        answered.push(...(await askNeighbours(system, unit, ada, loot)));
      expect(answered.length).toBeGreaterThanOrEqual(doors);
      await dumps.askHsm(loot, ...live);
      expect(await loot.open()).toEqual([]);
      // The KMS was given Enc(account), as it is at each load, and had the HSM unwrap it and the data keys below it.
      expect(dumps.unwrapped > 1).toBe(live[0] === "kms");
    },
  );

  it("W13 the IAM's HSM certificate signs an access token for anybody, which nobody takes: no sign-in is behind it", async () => {
    const documents = `/accounts/${account}/documents`;
    const thief = await tokenByIam(system, "Ada");
    expect(problem(await thief.rest("GET", documents))).toBe("401 invalid-token");
    expect(problem(await thief.rest("POST", "/ra/grants", {}))).toBe("403 forbidden");
    // The same for the key of a sign-in that lives: it is well made.
    const { key } = await EdgeClient.signedIn(system, "Ada");
    expect((await (await tokenByIam(system, "Ada", key)).rest("GET", documents)).status).toBe(200);
  });

  it("W13 the limit: changed code of the IAM says that its operator is Ada, who signs in, enrols an instance, and opens her documents", async () => {
    const ada = await signedInByIam(system, "Ada");
    const loot = new Loot();
    await download(ada, account, loot);
    expect(await loot.open()).toEqual([]);
    await (await askerFor(ada, "data")).ask(loot, [account]);
    expect(await loot.open()).toContain(SECRET);
  });

  it("W13 the limit: changed code of the app, while Ada is signed in, asks in her name for an instance and for her keys", async () => {
    const loot = dumps.lootOf("app");
    const ada = await EdgeClient.signedIn(system, "Ada");
    expect(await loadByApp(system, ada, loot)).toBeGreaterThan(0);
    expect(await loot.open()).toContain(SECRET);
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
