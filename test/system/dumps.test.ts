/**
 * What dumps of stores give away, alone and two by two, with the live certificate at the HSM that goes with them (W1, W13), for a
 * tenant of the level `data` in split operation.
 */

import { generateKeyPairSync, privateDecrypt, randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import type { Unit } from "#edge/units.ts";
import { ObjectStore, secretBytes } from "#emulator/hsm/index.ts";
import { type Domain, IDENTITY, masterKeyName, named } from "#protocol/hierarchy/index.ts";
import { Loot } from "./dumps.ts";
import { type HsmClient, hsmClient } from "./hsm.ts";
import { get, importKey, registerPublicKey } from "./hsm-requests.ts";
import { useSystem } from "./index.ts";

const SECRET = "what no operator may read";
const system = useSystem({ split: true });
let dump: string;

beforeAll(async () => {
  const { appOrigin: app, vaultOrigin: vault, rootKey } = system.running;
  const client = await connect({ app, vault, rootKey, user: "Ada" });
  const source = new Blob([SECRET]);
  const about = { name: "secret.txt", type: "text/plain", size: source.size };
  await client.documents.seal(source.stream(), client.account(), about);
  client.close();
  dump = mkdtempSync(join(tmpdir(), "coffer-dumps-"));
  await system.restart(() => {
    cpSync(system.edgeDir, join(dump, "units"), { recursive: true });
    cpSync(join(system.dir, "hsm"), join(dump, "hsm"), { recursive: true });
    cpSync(join(dump, "hsm"), join(dump, "hsm-without-key"), { recursive: true });
    rmSync(join(dump, "hsm-without-key/hsm.key"));
  });
});
afterAll(() => rmSync(dump, { recursive: true, force: true }));

/** Who runs what: stores, and identities at the HSM. */
const OPERATORS: Record<string, { units: Unit[]; hsm?: boolean; identities: Exclude<Domain, "officer">[] }> =
  {
    app: { units: ["app", "datastore"], identities: [] },
    iam: { units: ["iam"], identities: ["iam"] },
    ra: { units: ["ra"], identities: ["ra"] },
    kms: { units: ["kms"], identities: ["kms"] },
    audit: { units: ["audit"], identities: ["audit"] },
    hsm: { units: [], hsm: true, identities: [] },
  };
const names = Object.keys(OPERATORS);
const pairs = names.flatMap((one, index) => names.slice(index + 1).map((other) => [one, other] as const));

function lootOf(...operators: string[]): Loot {
  const loot = new Loot();
  for (const operator of operators) {
    const { units, hsm } = OPERATORS[operator]!;
    for (const unit of units) loot.folder(join(dump, "units", unit));
    if (hsm) loot.folder(join(dump, "hsm-without-key"));
  }
  return loot;
}

/** Keys that the HSM's own store gives to whoever has its key file too. */
function keysOfHsm(): Uint8Array[] {
  const folder = join(dump, "hsm");
  const store = new ObjectStore(folder, randomBytes);
  const database = new DatabaseSync(join(folder, "hsm.sqlite"), { readOnly: true });
  try {
    return database
      .prepare("SELECT uid FROM objects")
      .all()
      .map(({ uid }) => store.read(String(uid)))
      .filter((object) => object?.objectType === "SymmetricKey" && object.value !== undefined)
      .map((object) => secretBytes(object!));
  } finally {
    database.close();
    store.close();
  }
}

const own = generateKeyPairSync("rsa", { modulusLength: 3072 });

/**
 * Takes what an identity gets of the HSM: plain, or wrapped to a key of one's own; stored, or unwrapped from the loot. How many keys
 * the HSM unwrapped.
 */
async function ask(client: HsmClient, loot: Loot): Promise<number> {
  const oaep = { key: own.privateKey, oaepHash: "sha256" };
  const mine = await registerPublicKey(client, own.publicKey).then(
    ({ uniqueIdentifier }) => uniqueIdentifier,
    () => undefined,
  );
  const take = async (uid: string) => {
    for (const by of [undefined, ...(mine ? [{ key: mine, rsa: true }] : [])]) {
      const value = await get(client, uid, by).then(
        ({ object }) => object.symmetricKey?.keyBlock.keyValue,
        () => undefined,
      );
      const bytes = value instanceof Uint8Array ? value : value?.keyMaterial;
      if (!(bytes instanceof Uint8Array)) continue;
      loot.key(by ? privateDecrypt(oaep, bytes) : bytes);
    }
  };
  const { uniqueIdentifier: all = [] } = await client.request("Locate", { attributes: {} });
  for (const uid of all) await take(uid);
  const { uniqueIdentifier: [master] = [] } = await client.request("Locate", {
    attributes: { name: named(masterKeyName("development")) },
  });
  const parents = master === undefined ? [] : [master];
  // Account keys under the master key, then data keys under those.
  for (let depth = 0; depth < 2; depth++)
    for (const wrapped of loot.wrapped)
      for (const parent of [...parents]) {
        const imported = await importKey(client, new Uint8Array(wrapped), parent).catch(() => undefined);
        if (imported === undefined) continue;
        await take(imported);
        parents.push(imported);
      }
  return parents.length - 1;
}

/** How many keys the HSM unwrapped for those who asked last. */
let unwrapped: number;

async function opened(...operators: string[]): Promise<string[]> {
  const loot = lootOf(...operators);
  unwrapped = 0;
  for (const identity of operators.flatMap((operator) => OPERATORS[operator]!.identities)) {
    const client = await hsmClient(system, IDENTITY[identity]);
    unwrapped += await ask(client, loot).finally(() => client.close());
  }
  return loot.open();
}

describe("W1, W13: dumps of stores, level data", () => {
  it.each(names)("W1 (W13) what the operator of %s has opens no document", async (operator) => {
    expect(await opened(operator)).toEqual([]);
  });

  it.each(pairs)("W13 what the operators of %s and %s have opens no document", async (one, other) => {
    expect(await opened(one, other)).toEqual([]);
  });

  it("W1 (W13) with Enc(account key) and the EDK the KMS has the HSM unwrap both, and gets neither", async () => {
    expect(await opened("app", "iam", "kms")).toEqual([]);
    expect(unwrapped).toBeGreaterThan(1);
  });

  it("W1 app, IAM and the HSM's store without its key file open no document", async () => {
    expect(await lootOf("app", "iam", "hsm").searchLong().open()).toEqual([]);
  });

  it("W1 KMS, datastore and HSM with its key file have no Enc(account key) at rest", async () => {
    const loot = lootOf("app", "kms", "hsm");
    for (const key of keysOfHsm()) loot.key(key);
    expect(await loot.open()).toEqual([]);
  });

  it("W1 (W13) all stores and the HSM's key file open it: the same code finds the way", async () => {
    const loot = lootOf(...names);
    for (const key of keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });

  it("W1 IAM, datastore and the HSM with its key file are enough: three hands", async () => {
    const loot = lootOf("app", "iam");
    for (const key of keysOfHsm()) loot.key(key);
    expect(await loot.open()).toContain(SECRET);
  });
});
