/**
 * The HSM's release policy on the running system at level `master` (W9): what an application server leaves in the HSM
 * once it has sealed and opened answers to the KMS's certificate alone.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IDENTITY, POLICY, policyAttribute } from "#protocol/hierarchy/index.ts";
import { needle, scanBytes } from "../memory/index.ts";
import { type HsmClient, hsmClient } from "./hsm.ts";
import { get, importKey } from "./hsm-requests.ts";
import { needlesOf, readRows, useSystem, watchKeys } from "./index.ts";
import { reaches, tryAll } from "./reach.ts";
import { SECRET, sealServed } from "./served-dumps.ts";

const system = useSystem({ level: "master" });
const dir = mkdtempSync(join(tmpdir(), "coffer-server-"));
const watched = watchKeys();
let kms: HsmClient;
let recipient: string;
/** The keys of the hierarchy that are the KMS's, with what they are, and the account key that wraps others. */
const keys: { uid: string; keyClass: string }[] = [];
let by: string;
/** What the officer makes, and ends. */
const OFFICERS: readonly string[] = ["master", "seed-hmac"];
/** What is kept wrapped, as the KMS gets it. */
const kept: Uint8Array[] = [];

beforeAll(async () => {
  await sealServed(system, dir, SECRET);
  kms = await hsmClient(system, IDENTITY.kms);
  const [row] = readRows(system.edgeDir, "account_keys");
  // As in the midst of a rewrap.
  by = await importKey(kms, new Uint8Array(row!.wrapped as Uint8Array), String(row!.master));
  recipient = String(readRows(system.edgeDir, "instances")[0]!.hsm_key);
  const { uniqueIdentifier } = await kms.request("Locate", { attributes: {} });
  for (const uid of uniqueIdentifier) {
    const { attributes } = await kms.request("GetAttributes", {
      uniqueIdentifier: uid,
      attributeReference: [],
    });
    const keyClass = policyAttribute(attributes, POLICY.class);
    if (keyClass === undefined) continue;
    keys.push({ uid, keyClass });
    if (keyClass === "encrypted") kept.push(bytesOf(await get(kms, uid)));
  }
});
afterAll(() => {
  kms?.close();
  watched.stop();
  rmSync(dir, { recursive: true, force: true });
});

function bytesOf({ object }: Awaited<ReturnType<typeof get>>): Uint8Array {
  const value = object.symmetricKey?.keyBlock.keyValue;
  return (value instanceof Uint8Array ? value : value?.keyMaterial) as Uint8Array;
}

/** Keys, in plaintext or as they are kept wrapped, in what the HSM answered to this client. */
const told = (client: HsmClient) =>
  scanBytes(Buffer.concat(client.received), [
    ...needlesOf(watched.keys),
    ...kept.map((bytes) => needle("kept", Buffer.from(bytes))),
  ]);

describe("release policy, level master", () => {
  it("W9 every operation of the server, tried on master key, account key and what is kept wrapped, with each live certificate but the KMS's, gives none, ends none and finds none", async () => {
    const classes = keys.map(({ keyClass }) => keyClass);
    expect(classes).toEqual(expect.arrayContaining(["master", "account", "encrypted"]));
    // Enc(master) of the server, and Enc(data).
    expect(kept.length).toBeGreaterThan(1);
    const found: string[] = [];
    for (const identity of [IDENTITY.ra, IDENTITY.iam, IDENTITY.audit, IDENTITY.officer, "ordinary-user"]) {
      const client = await hsmClient(system, identity);
      for (const { uid, keyClass } of keys) {
        if (identity === IDENTITY.officer && OFFICERS.includes(keyClass)) continue;
        for (const { operation, payload, answer } of await tryAll(client, { uid, by, recipient, own: uid }))
          if (reaches(operation, answer, uid, payload))
            found.push(`${identity}: ${operation} of ${keyClass}`);
      }
      expect(told(client), identity).toEqual([]);
      client.close();
    }
    expect(found).toEqual([]);
    // All are there still, and what is kept comes as it came (positive control).
    expect((await kms.request("Locate", { attributes: {} })).uniqueIdentifier).toEqual(
      expect.arrayContaining(keys.map(({ uid }) => uid)),
    );
    const again = [];
    for (const { uid, keyClass } of keys)
      if (keyClass === "encrypted") again.push(bytesOf(await get(kms, uid)));
    expect(again).toEqual(kept);
    expect(told(kms).length, "the same search finds them in what the KMS got").toBeGreaterThan(0);
  });
});
