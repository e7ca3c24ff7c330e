/** Operators of a deployment in split operation: what each has in store, and as whom the HSM knows it. */

import { generateKeyPairSync, type KeyObject, privateDecrypt, randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Unit } from "#edge/units.ts";
import { type ManagedObject, ObjectStore, secretBytes } from "#emulator/hsm/index.ts";
import { keyBlockOf, privateKeyOf } from "#emulator/hsm/store/material.ts";
import {
  CEK_UNDER_PAIR,
  type Domain,
  IDENTITY,
  masterKeyName,
  named,
  TO_RECIPIENT,
} from "#protocol/hierarchy/index.ts";
import type { System } from "../support/start.ts";
import { Loot } from "./dumps.ts";
import { type HsmClient, hsmClient } from "./hsm.ts";
import { get, importKey, importPair, registerPublicKey } from "./hsm-requests.ts";
import { registerOwn } from "./own-recipients.ts";

type Operator = { units: Unit[]; hsm?: boolean; identities: Exclude<Domain, "officer">[] };
const OPERATORS: Record<string, Operator> = {
  app: { units: ["app", "datastore"], identities: [] },
  iam: { units: ["iam"], identities: ["iam"] },
  ra: { units: ["ra"], identities: ["ra"] },
  kms: { units: ["kms"], identities: ["kms"] },
  audit: { units: ["audit"], identities: ["audit"] },
  hsm: { units: [], hsm: true, identities: [] },
};
export const operators = Object.keys(OPERATORS);
export const pairs = operators.flatMap((one, index) =>
  operators.slice(index + 1).map((other) => [one, other] as const),
);

/** All stores as they were when everything stood still, and the system that goes on since. */
export class Dumps {
  readonly #system: System;
  readonly #dir = mkdtempSync(join(tmpdir(), "coffer-dumps-"));
  /** Folders of the app's operator beside the units'. */
  readonly #beside: string[];
  /** How many keys the HSM unwrapped for those who asked last. */
  unwrapped = 0;
  /** How many it gave them, wrapped to a key of their own. */
  given = 0;

  private constructor(system: System, beside: string[]) {
    this.#system = system;
    this.#beside = beside;
  }

  static async take(system: System, beside: string[] = []): Promise<Dumps> {
    const dumps = new Dumps(system, beside);
    await system.restart(() => {
      cpSync(system.edgeDir, join(dumps.#dir, "units"), { recursive: true });
      cpSync(join(system.dir, "hsm"), join(dumps.#dir, "hsm"), { recursive: true });
      cpSync(join(dumps.#dir, "hsm"), join(dumps.#dir, "hsm-without-key"), { recursive: true });
      rmSync(join(dumps.#dir, "hsm-without-key/hsm.key"));
    });
    return dumps;
  }

  /** What these operators have in store; of the HSM, without its key file. */
  lootOf(...operators: string[]): Loot {
    return this.into(new Loot(), ...operators);
  }

  /** Puts the same into loot that is there already: stores of two times, say. */
  into(loot: Loot, ...operators: string[]): Loot {
    for (const operator of operators) {
      const { units, hsm } = OPERATORS[operator]!;
      for (const unit of units) loot.folder(join(this.#dir, "units", unit));
      if (hsm) loot.folder(join(this.#dir, "hsm-without-key"));
      if (operator === "app") for (const folder of this.#beside) loot.folder(folder);
    }
    return loot;
  }

  /** The folder of a unit's store. */
  unit(name: Unit): string {
    return join(this.#dir, "units", name);
  }

  /** The same, and all that the HSM gives them for their live certificates. */
  async lootOfLive(...operators: string[]): Promise<Loot> {
    return this.askHsm(this.lootOf(...operators), ...operators);
  }

  /** Puts into the loot what the HSM gives these operators for it and for their live certificates. */
  async askHsm(loot: Loot, ...operators: string[]): Promise<Loot> {
    this.unwrapped = 0;
    this.given = 0;
    const identities = operators.flatMap((operator) => OPERATORS[operator]!.identities);
    const recipients = identities.includes("ra")
      ? await this.#as("ra", (ra) => registerOwn(ra, own.publicKey))
      : [];
    for (const identity of identities) {
      const { unwrapped, given } = await this.#as(identity, (client) => ask(client, loot, recipients));
      this.unwrapped += unwrapped;
      this.given += given;
    }
    return loot;
  }

  async #as<T>(identity: Exclude<Domain, "officer">, work: (client: HsmClient) => Promise<T>): Promise<T> {
    const client = await hsmClient(this.#system, IDENTITY[identity]);
    return work(client).finally(() => client.close());
  }

  /** Keys that the HSM's own store gives to whoever has its key file too. */
  keysOfHsm(): Uint8Array[] {
    return this.#objectsOfHsm().flatMap(keysOf);
  }

  /** The private keys there. */
  privateKeysOfHsm(): KeyObject[] {
    return this.#objectsOfHsm()
      .filter(({ objectType, value }) => objectType === "PrivateKey" && value !== undefined)
      .map(privateKeyOf)
      .filter(({ asymmetricKeyType }) => asymmetricKeyType === "rsa");
  }

  #objectsOfHsm(): ManagedObject[] {
    const folder = join(this.#dir, "hsm");
    const store = new ObjectStore(folder, randomBytes);
    const database = new DatabaseSync(join(folder, "hsm.sqlite"), { readOnly: true });
    try {
      const uids = database.prepare("SELECT uid FROM objects").all();
      return uids.flatMap(({ uid }) => store.read(String(uid)) ?? []);
    } finally {
      database.close();
      store.close();
    }
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** A key of the store, plain or as it was wrapped. */
function keysOf(object: ManagedObject): Uint8Array[] {
  if (object.objectType !== "SymmetricKey" || object.value === undefined) return [];
  const value = keyBlockOf(object).keyValue;
  if (value instanceof Uint8Array) return [value];
  return value?.keyMaterial instanceof Uint8Array ? [value.keyMaterial] : [secretBytes(object)];
}

const own = generateKeyPairSync("rsa", { modulusLength: 3072 });

/**
 * Takes what an identity gets of the HSM: plain, or wrapped to a key of one's own (a bare one, and `recipients` that the registration
 * authority's operator has certified); stored, or unwrapped from the loot. How many keys the HSM unwrapped, and how many it gave.
 */
async function ask(client: HsmClient, loot: Loot, recipients: readonly string[]) {
  const oaep = { key: own.privateKey, oaepHash: "sha256" };
  const bare = await registerPublicKey(client, own.publicKey).then(
    ({ uniqueIdentifier }) => [uniqueIdentifier],
    () => [],
  );
  const wrappedBy = [...bare, ...recipients].map((key) => ({ key, rsa: true }));
  let given = 0;
  const take = async (uid: string) => {
    for (const by of [undefined, ...wrappedBy]) {
      const value = await get(client, uid, by).then(
        ({ object }) => (object.symmetricKey ?? object.privateKey)?.keyBlock.keyValue,
        () => undefined,
      );
      const bytes = value instanceof Uint8Array ? value : value?.keyMaterial;
      if (!(bytes instanceof Uint8Array)) continue;
      loot.key(by ? privateDecrypt(oaep, bytes) : bytes);
      if (by) given++;
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
  if (master === undefined) return { unwrapped: 0, given };
  const unwrapped = parents.length - 1 + (await askByPairs(client, loot, master, take));
  return { unwrapped, given };
}

/** The same where account keys are pairs. */
async function askByPairs(
  client: HsmClient,
  loot: Loot,
  master: string,
  take: (uid: string) => Promise<void>,
): Promise<number> {
  let unwrapped = 0;
  const taken = async (imported: Promise<string>) => {
    const uid = await imported.catch(() => undefined);
    if (uid === undefined) return undefined;
    await take(uid);
    unwrapped++;
    return uid;
  };
  for (const sealed of loot.sealed) {
    const pair = await taken(importPair(client, new Uint8Array(sealed), master));
    if (pair === undefined) continue;
    for (const encrypted of loot.encrypted)
      await taken(importKey(client, new Uint8Array(encrypted), pair, {}, TO_RECIPIENT));
  }
  for (const enveloped of loot.enveloped) {
    const [wrappedCek, wrapped] = [new Uint8Array(enveloped.subarray(0, 384)), enveloped.subarray(384)];
    const cek = await taken(importKey(client, wrappedCek, master, {}, CEK_UNDER_PAIR));
    const pair = cek && (await taken(importPair(client, new Uint8Array(wrapped), cek)));
    if (!pair) continue;
    for (const encrypted of loot.encrypted)
      await taken(importKey(client, new Uint8Array(encrypted), pair, {}, TO_RECIPIENT));
  }
  return unwrapped;
}
