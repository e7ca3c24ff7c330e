/**
 * What dumps of stores give away at level `master` (W1, W13): an application server keeps ciphertext and its app-specific key beside
 * each other, the KMS Enc(master) and Enc(data) in the HSM, the IAM Enc(account).
 */

import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { appKeyFile, openAppKey } from "#web/hosts/node/index.ts";
import { Datastore } from "../../docs/examples/application-server/datastore.ts";
import { applicationServer } from "../../docs/examples/application-server/server.ts";
import { type Foreign, foreignOf } from "./foreign.ts";
import { useSystem } from "./index.ts";
import { Dumps, operators, pairs } from "./operators.ts";

const SECRET = "what no operator may read";
const PASSPHRASE = "a secret of the server, at random";
const system = useSystem({
  ...{ split: true, level: "master" as const },
  ...{ otherTenants: ["umbrella"], levels: { umbrella: "master" as const } },
});
let server: string;
let dumps: Dumps;
let account: string;
let foreign: Foreign;

beforeAll(async () => {
  server = mkdtempSync(join(tmpdir(), "coffer-server-"));
  const { appOrigin: app, vaultOrigin: vault } = system;
  const appKey = () => openAppKey(appKeyFile(join(server, "app-specific-key.pem")), PASSPHRASE);
  const { rootKey } = system.running;
  const client = await connect({ app, vault, rootKey, user: "server", instance: { appKey } });
  const { port: microservice } = await client.microservice.use();
  account = client.account();
  const { tenant } = client.identity;
  const datastore = new Datastore(server);
  const example = applicationServer({
    microservice: async () => microservice,
    tenant,
    datastore,
    accountOf: () => account,
  });
  const path = `/documents/${crypto.randomUUID()}`;
  expect((await example.request(path, { method: "PUT", body: SECRET })).status).toBe(201);
  expect(await (await example.request(path)).text()).toBe(SECRET);
  client.close();
  dumps = await Dumps.take(system, [server]);
  foreign = await foreignOf(system, "umbrella", "master");
});
afterAll(() => {
  dumps?.remove();
  rmSync(server, { recursive: true, force: true });
});

const opened = async (...names: string[]) => (await dumps.lootOfLive(...names)).open();

/** The app-specific key, for whoever has its file and its passphrase. */
function appSpecificKey() {
  const key = readFileSync(join(server, "app-specific-key.pem"), "utf8");
  return createPrivateKey({ key, passphrase: PASSPHRASE });
}

describe("W1, W13: dumps of stores, level master", () => {
  it.each(operators)("W1 (W13) what the operator of %s has opens no document", async (operator) => {
    expect(await opened(operator)).toEqual([]);
  });

  it.each(pairs)("W13 what the operators of %s and %s have opens no document", async (one, other) => {
    expect(await opened(one, other)).toEqual([]);
  });

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

  it("W1 app, IAM and KMS together have every link but the first: it takes the app-specific key", async () => {
    const loot = await dumps.lootOfLive("app", "iam", "kms");
    expect(await loot.open()).toEqual([]);
    expect(await loot.decryptBy(appSpecificKey()).open()).toContain(SECRET);
  });

  it("W1 IAM, app and the HSM with its key file are enough: the master key is in the HSM too", async () => {
    const loot = dumps.lootOf("app", "iam");
    for (const key of dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });

  it("W13 a recipient that the registration authority certifies for itself gets nothing without the KMS's certificate", async () => {
    expect(await opened("app", "iam", "ra", "audit")).toEqual([]);
    expect(dumps.given).toBe(0);
  });

  it("W13 with the KMS's too, Enc(account key) and the datastore it opens the document: the master key comes wrapped to it", async () => {
    expect(await opened("app", "iam", "ra", "kms")).toContain(SECRET);
  });

  it("W1 (W13) all stores and the HSM's key file open it: the same code finds the way", async () => {
    const loot = dumps.lootOf(...operators);
    for (const key of dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });
});
