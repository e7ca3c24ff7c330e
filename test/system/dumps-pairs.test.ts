/**
 * What dumps of stores give away where account keys are RSA pairs, in the claims' combination of kinds (A2): data AES, account RSA,
 * master AES, app-specific RSA.
 */

import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Step } from "#web/microservice/index.ts";
import { PASSPHRASE, serve } from "../support/served.ts";
import { useSystem } from "./index.ts";
import { Dumps, operators, pairs } from "./operators.ts";

const SECRET = "what no operator may read";
const settings = () => ({ accountKeys: "RSA-3072" }) as const;
const system = useSystem({ split: true, level: "master", settings });
let server: string;
let dumps: Dumps;

beforeAll(async () => {
  server = mkdtempSync(join(tmpdir(), "coffer-server-"));
  const steps: Step[] = [];
  const { client, upload, download } = await serve(system, server, steps);
  const id = crypto.randomUUID();
  expect((await upload(id, SECRET)).status).toBe(201);
  expect(await (await download(id)).text()).toBe(SECRET);
  client.close();
  dumps = await Dumps.take(system, [server]);
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

describe("W1, W13: dumps of stores, account keys that are pairs", () => {
  it.each(operators)("W1 (A2) what the operator of %s has opens no document", async (operator) => {
    expect(await opened(operator)).toEqual([]);
  });

  it.each(pairs)("W13 (A2) what the operators of %s and %s have opens no document", async (one, other) => {
    expect(await opened(one, other)).toEqual([]);
  });

  it("W1 (A2) app, IAM and KMS together have every link but the first: it takes the app-specific key", async () => {
    const loot = await dumps.lootOfLive("app", "iam", "kms");
    // For the KMS's certificate the HSM unwrapped pair and data key, and gave neither.
    expect(dumps.unwrapped).toBeGreaterThan(1);
    expect(await loot.open()).toEqual([]);
    expect(await loot.decryptBy(appSpecificKey()).open()).toContain(SECRET);
  });

  it("W13 (A2) a recipient that the registration authority certifies for itself gets nothing without the KMS's certificate", async () => {
    expect(await opened("app", "iam", "ra", "audit")).toEqual([]);
    expect(dumps.given).toBe(0);
  });

  it("W13 (A2) with the KMS's too, Enc(account key) and the datastore it opens the document: the master key comes wrapped to it", async () => {
    expect(await opened("app", "iam", "ra", "kms")).toContain(SECRET);
  });

  it("W1 (A2) all stores and the HSM's key file open it: the same code finds the way", async () => {
    const loot = dumps.lootOf(...operators);
    for (const key of dumps.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });
});
