/**
 * Master keys that are RSA pairs, beside those that are symmetric: each with account keys of either kind, at each release level, on the
 * real parts. A rotation changes the kind.
 */

import { describe, expect, it, vi } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { rotateMasterKey } from "#cli/master-key.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { codeOf } from "#protocol/error.ts";
import { ACCOUNT_KEYS, IDENTITY, MASTER_KEYS, POLICY, policy } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { TenantEdk } from "#protocol/keys/index.ts";
import { LEVELS, type Level } from "#protocol/level.ts";
import { answerOf, callDoor, callerOf, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { type System, startSystem } from "../support/start.ts";
import { hsmClient } from "../system/hsm.ts";
import { readRows } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

async function withClient<T>(system: System, user: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  const client = await connect({ app, vault, rootKey: running.rootKey, user });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

async function seal({ documents, account }: Client, text: string): Promise<string> {
  const { id } = await documents.seal(new TextEncoder().encode(text), account(), { name: "letter.txt" });
  return id;
}

async function open({ documents }: Client, id: string, account: string): Promise<string> {
  return new Response((await documents.open(id, { account })).stream).text();
}

type Row = { wrapped: Uint8Array; master: string; public_key: Uint8Array | null };
const kept = ({ edgeDir }: System) => readRows(edgeDir, "account_keys") as unknown as Row[];
type Kind = (typeof MASTER_KEYS)[number];

/** Bytes of Enc(account), from and to: a symmetric key by AES-KW or RSA-OAEP, a private half by AES-GCM, with its key before it. */
const LENGTHS = {
  "AES-256": { "AES-256": [40, 40], "RSA-3072": [1800, 1840] },
  "RSA-3072": { "AES-256": [384, 384], "RSA-3072": [2184, 2224] },
} as const;

function lookAt(keys: Row[], master: Kind, account: Kind): void {
  const [least, most] = LENGTHS[master][account];
  for (const { wrapped, public_key } of keys) {
    expect(wrapped.length).toBeGreaterThanOrEqual(least);
    expect(wrapped.length).toBeLessThanOrEqual(most);
    expect(public_key !== null).toBe(account === "RSA-3072");
  }
}

/** Somebody's account and its first document, opened by another instance; above level `data` its keys are made by all who can. */
async function newcomer(system: System, level: Level, user: string) {
  const { id, account } = await withClient(system, user, async (client) => ({
    id: await seal(client, `${user}'s first letter`),
    account: client.account(),
  }));
  // Another instance, which has none of the keys.
  expect(await withClient(system, user, (client) => open(client, id, account))).toBe(
    `${user}'s first letter`,
  );
  if (level === "data") return { id, account };
  const app = await InstanceClient.ready(await EdgeClient.signedIn(system, user));
  const at = `/instances/accounts/${account}`;
  expect((await app.rest("POST", `${at}/key`)).status).toBe(201);
  expect((await app.rest("POST", `${at}/data-keys`, { purpose: "document" })).status).toBe(201);
  await withClient(system, user, async (client) => {
    const { port } = await client.microservice.use();
    expect(await port.renew(account)).toMatchObject({ keyVersion: 3 });
    expect(await open(client, await seal(client, "a second letter"), account)).toBe("a second letter");
  });
  return { id, account };
}

/** Keys that no batch leaves behind. */
async function leftAtHsm(system: System): Promise<string[]> {
  const kms = await hsmClient(system, IDENTITY.kms);
  const found = await Promise.all(
    (["account", "data", "cek", "master-cek"] as const).map((keyClass) =>
      kms.request("Locate", { attributes: { vendorAttributes: [policy(POLICY.class, keyClass)] } }),
    ),
  );
  kms.close();
  return found.flatMap(({ uniqueIdentifier }) => uniqueIdentifier);
}

/** From which kind of master key to which. */
const cases = LEVELS.flatMap((level) => [
  ...ACCOUNT_KEYS.map((kind) => [level, kind, kind, MASTER_KEYS.find((other) => other !== kind)!] as const),
]);

describe("master keys and account keys of either kind", () => {
  it.each(cases)(
    "W1 at level %s, account %s under master %s and then %s: made, rotated, opened, until the account goes",
    {
      timeout: 300_000,
    },
    async (level, accountKeys, masterKey, other) => {
      const settings = () => ({ accountKeys });
      const system = await startSystem({ level, masterKey, admins: ["Ada"], settings });
      try {
        const ada = await newcomer(system, level, "Ada");
        lookAt(kept(system), masterKey, accountKeys);
        const officer = await hsmClient(system, IDENTITY.officer);
        const { successor } = await rotateMasterKey(officer, "development", new Date(), other);
        officer.close();
        const client = await EdgeClient.signedIn(system, "Ada");
        expect((await client.rest("POST", "/kms/rotation")).status).toBe(200);
        const masters = () => new Set(kept(system).map(({ master }) => master));
        await expect.poll(masters, { timeout: 40_000, interval: 500 }).toEqual(new Set([successor]));
        const bob = await newcomer(system, level, "Bob");
        expect(masters()).toEqual(new Set([successor]));
        lookAt(kept(system), other, accountKeys);
        const read = (user: string, of: typeof ada) =>
          withClient(system, user, (client) => open(client, of.id, of.account));
        expect(await read("Ada", ada)).toBe("Ada's first letter");
        await expect.poll(() => readRows(system.edgeDir, "hsm_batches"), { timeout: 10_000 }).toEqual([]);
        expect(await leftAtHsm(system)).toEqual([]);

        const at = { immediately: true };
        const shredded = callDoor(system, "IAM.scheduleDeletion", callerOf(client), ada.account, at);
        expect(await answerOf(shredded)).toBe("ok");
        expect(await read("Ada", ada).catch(codeOf)).toBe("forbidden");
        expect(await read("Bob", bob)).toBe("Bob's first letter");
      } finally {
        await system.close();
      }
    },
  );

  it("W14 no second layer comes from a master key that is a pair: no instance is given it, and the audit says why", {
    timeout: 120_000,
  }, async () => {
    const settings = () => ({ secondLayer: "data-key" }) as const;
    const system = await startSystem({ level: "master", masterKey: "RSA-3072", settings });
    try {
      const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "Ada"));
      const challenge = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
      const answer = await app.rest("POST", "/instances/master-key", { challenge });
      expect(problem(answer)).toBe("502 hsm-refused");
      const reason = "a second layer comes from a symmetric master key";
      const told = () =>
        readRows(system.edgeDir, "links").some(({ entry }) => String(entry).includes(reason));
      await expect.poll(told, { timeout: 20_000, interval: 500 }).toBe(true);
    } finally {
      await system.close();
    }
  });

  it("M6 a tenant's own data keys stand under a pair with a label of their own, and are rewrapped, one by one and several at once", {
    timeout: 120_000,
  }, async () => {
    const system = await startSystem({ masterKey: "RSA-3072" });
    try {
      const ann = await EdgeClient.signedIn(system, "Ann");
      const keys = await makeKeys();
      const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(ann, keys));
      const ordered = await ann.rest("POST", "/kms/data-keys", { count: 2, purpose: "document" });
      expect(ordered.status).toBe(201);
      const { edks } = json<{ edks: [string, string] }>(ordered);
      for (const edk of edks) {
        const { wrapping, wrappedKey } = JSON.parse(
          new TextDecoder().decode(jwsParts(edk).payload),
        ) as TenantEdk;
        expect(wrapping).toBe("RSA-OAEP-256-L");
        expect(decodeBase64url(wrappedKey)).toHaveLength(384);
      }
      const open = (wrapped: string) =>
        crypto.subtle.decrypt("RSA-OAEP", keys.wrapping.privateKey, decodeBase64url(wrapped));
      const load = (request: object) => ann.rest("POST", "/kms/loads", { certificate, ...request });
      const one = json<{ wrappedKey: string }>(await load({ way: "rewrap", edk: edks[0] }));
      const several = json<{ keys: { wrappedKey: string }[] }>(await load({ way: "several", edks }));
      const opened = await Promise.all([one, ...several.keys].map(({ wrappedKey }) => open(wrappedKey)));
      const [first, again, second] = opened.map((bytes) => Buffer.from(bytes).toString("hex"));
      expect(first).toMatch(/^[0-9a-f]{64}$/);
      expect(again).toBe(first);
      expect(second).not.toBe(first);
      expect(await leftAtHsm(system)).toEqual([]);
    } finally {
      await system.close();
    }
  });
});
