/** Symmetric app-specific keys (W1, W12): made by the HSM for one instance, given to it once, over a channel, on the real edge and HSM. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { codeOf } from "#protocol/error.ts";
import {
  appSpecificKeyName,
  IDENTITY,
  masterKeyName,
  named,
  POLICY,
  policy,
  recipientNames,
  TO_RECIPIENT,
  UNDER_PARENT,
} from "#protocol/hierarchy/index.ts";
import {
  appKeyChannel,
  type MasterReceipt,
  type TrustList,
  verifyMasterReceipt,
} from "#protocol/keys/index.ts";
import { appKeyFile, keepAppKey, keepSymmetricKey, symmetricKeyFile } from "#web/hosts/node/index.ts";
import { makeShare } from "#web/microservice/channel.ts";
import { namedAppKey } from "#web/microservice/ladder/app-key.ts";
import type { AppKeyCopy } from "#web/microservice/store.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { trustOf } from "../support/instance.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { hsmClient, outcome } from "../system/hsm.ts";
import { readRows, useSystem } from "../system/index.ts";

const { subtle } = globalThis.crypto;
const settings = () => ({ appKeys: "AES-256" as const });
const system = useSystem({
  level: "master",
  settings,
  otherTenants: ["umbrella"],
  levels: { umbrella: "master" },
});
let ann: EdgeClient;
let first: InstanceClient;
let second: InstanceClient;
let trust: TrustList;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "coffer-app-keys-"));
  ann = await EdgeClient.signedIn(system, "Ann");
  [first, second] = [await InstanceClient.ready(ann), await InstanceClient.ready(ann)];
  trust = await trustOf(first);
});
afterAll(() => rm(dir, { recursive: true }));

type Answer = {
  wrappedKey: string;
  receipt: string;
  proof?: string;
  appKey?: { share: string; nonce: string; sealed: string };
};
type Ask = { held?: string; replaces?: string };
const post = (by: InstanceClient, body: object) => by.rest("POST", "/instances/master-key", body);
const newChallenge = () => encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));

/** What the edge answers, and what the instance makes of it. */
async function ask(
  by: InstanceClient,
  { held, replaces }: { held?: AppKeyCopy; replaces?: AppKeyCopy } = {},
) {
  const { share, privateKey } = await makeShare(subtle);
  const challenge = newChallenge();
  const asked: Ask = { ...(held && { held: held.id }), ...(replaces && { replaces: replaces.id }) };
  const answer = json<Answer>(await post(by, { challenge, appKey: { share, ...asked } }));
  const recipient = await digest(decodeBase64url(by.enrolled.wrappingCertificate));
  const wrappedKey = decodeBase64url(answer.wrappedKey);
  const awaited = { wrappedKey, recipient, tenant: "development", challenge, now: seconds(Date.now()) };
  const { proof } = answer;
  const receipt = await verifyMasterReceipt(answer.receipt, trust, { ...awaited, proof });
  const of = appKeyChannel({ challenge, share, recipient });
  const appKey = await namedAppKey(subtle, receipt.appKey!, answer.appKey, { of, privateKey, held });
  return { answer, appKey, wrappedKey, receipt, of, privateKey };
}

/** The master key, as no instance can see it: the handles of these tests can be exported. */
async function masterOf(by: InstanceClient, { appKey, wrappedKey }: Awaited<ReturnType<typeof ask>>) {
  const { privateKey } = by.keys.wrapping;
  const raw = await subtle.decrypt("RSA-OAEP", privateKey, appKey.wrapped);
  const key = await subtle.importKey("raw", raw, "AES-KW", false, ["unwrapKey"]);
  const master = await subtle.unwrapKey("raw", wrappedKey, key, "AES-KW", "AES-KW", true, ["unwrapKey"]);
  return digest(new Uint8Array(await subtle.exportKey("raw", master)));
}

async function withKms<T>(work: (kms: Awaited<ReturnType<typeof hsmClient>>) => Promise<T>): Promise<T> {
  const kms = await hsmClient(system, IDENTITY.kms);
  try {
    return await work(kms);
  } finally {
    kms.close();
  }
}
/** App-specific keys that the HSM has. */
const atHsm = () =>
  withKms(async (kms) => {
    const attributes = { vendorAttributes: [policy(POLICY.class, "app-specific")] };
    return (await kms.request("Locate", { attributes })).uniqueIdentifier;
  });
const idAtHsm = (id: string) =>
  withKms(async (kms) => {
    const attributes = { name: named(appSpecificKeyName(id)) };
    return (await kms.request("Locate", { attributes })).uniqueIdentifier;
  });
const rowsOf = (by: InstanceClient) =>
  readRows(system.edgeDir, "app_keys").filter(({ instance }) => instance === by.enrolled.instance);

it("W1 a symmetric app-specific key is made by the HSM, passes the channel encrypted to its instance, and unwraps the master key there", async () => {
  const [one, two] = [await ask(first), await ask(second)];
  expect(one.receipt.appKey).toMatchObject({ id: one.appKey.id, digest: await digest(one.appKey.wrapped) });
  expect(one.receipt.appKey!.channel).toBeDefined();
  expect(one.appKey.id).not.toBe(two.appKey.id);
  expect(one.wrappedKey).toHaveLength(40);
  expect(await masterOf(first, one)).toBe(await masterOf(second, two));
  expect(await idAtHsm(one.appKey.id)).toHaveLength(1);
  // Enc(master) is kept in the HSM, and found there by the instance that holds the key.
  const again = await ask(first, { held: one.appKey });
  expect(again.answer.appKey).toBeUndefined();
  expect(again.receipt.appKey).toEqual({ id: one.appKey.id, digest: one.receipt.appKey!.digest });
  expect(again.wrappedKey).toEqual(one.wrappedKey);
});

it("W1 is released once: who has lost it gets another, and the first ends at once", async () => {
  const one = await ask(first);
  const two = await ask(first);
  expect(two.appKey.id).not.toBe(one.appKey.id);
  expect(await idAtHsm(one.appKey.id)).toEqual([]);
  expect(rowsOf(first).map(({ id }) => id)).toEqual([two.appKey.id]);
  expect(await masterOf(first, two)).toBe(await masterOf(second, await ask(second)));
  // What stood under the first is no more in the HSM either.
  const kept = readRows(system.edgeDir, "encrypted_masters").filter(
    ({ instance }) => instance === first.enrolled.instance,
  );
  expect(kept.map(({ app_key }) => app_key)).toEqual([two.appKey.id]);
  const lost = { id: one.appKey.id, wrapped: one.appKey.wrapped };
  await expect(ask(first, { held: lost })).resolves.toMatchObject({ answer: { appKey: {} } });
});

it("W12 is replaced when its instance wants it, and what it held ends", async () => {
  const one = await ask(first);
  const two = await ask(first, { replaces: one.appKey });
  expect(two.appKey.id).not.toBe(one.appKey.id);
  expect(await idAtHsm(one.appKey.id)).toEqual([]);
  expect(await masterOf(first, two)).toBe(await masterOf(first, await ask(first, { held: two.appKey })));
});

it("W1 another instance, another user and another tenant neither get it nor end it by naming it", async () => {
  const one = await ask(first);
  const bob = await InstanceClient.ready(await EdgeClient.signedIn(system, "Bob"));
  for (const by of [second, bob])
    for (const way of ["held", "replaces"] as const) {
      const { answer, receipt } = await ask(by, { [way]: one.appKey });
      expect(answer.appKey, way).toBeDefined();
      expect(receipt.appKey!.id).not.toBe(one.appKey.id);
    }
  const eve = await InstanceClient.ready(await EdgeClient.signedIn(system.tenant("umbrella"), "Eve"));
  const { share } = await makeShare(subtle);
  for (const way of ["held", "replaces"]) {
    const answer = await post(eve, { challenge: newChallenge(), appKey: { share, [way]: one.appKey.id } });
    expect(answer.text).not.toContain(one.appKey.id);
  }
  expect((await ask(first, { held: one.appKey })).answer.appKey).toBeUndefined();
});

it("W1 a channel of another recipient opens nothing, and a receipt for another key counts for none", async () => {
  const [one, two] = [await ask(first), await ask(second)];
  const named = (receipt: MasterReceipt) => receipt.appKey!;
  const opened = (of: typeof one, by: typeof one, sealed = of.answer.appKey) =>
    namedAppKey(subtle, named(of.receipt), sealed, { of: by.of, privateKey: by.privateKey, held: undefined });
  await expect(opened(one, one)).resolves.toMatchObject({ id: one.appKey.id });
  await expect(opened(one, two)).rejects.toThrow();
  await expect(opened(one, { ...one, of: two.of })).rejects.toThrow();
  await expect(opened(one, { ...one, privateKey: two.privateKey })).rejects.toThrow();
  await expect(opened(one, one, two.answer.appKey)).rejects.toThrow();
  await expect(opened({ ...two, answer: one.answer }, one)).rejects.toThrow();
  // Held under the id that is named, and another key.
  const swapped = { id: one.appKey.id, wrapped: two.appKey.wrapped };
  const held = { of: one.of, privateKey: one.privateKey, held: swapped };
  await expect(namedAppKey(subtle, named(one.receipt), undefined, held)).rejects.toThrow();
  // What came for one instance decrypts with its wrapping key alone.
  const { privateKey } = second.keys.wrapping;
  await expect(subtle.decrypt("RSA-OAEP", privateKey, one.appKey.wrapped)).rejects.toThrow();
});

it("W1 nothing is made for a bad share, none at all, or too much of it, and nothing is left behind", async () => {
  const before = (await atHsm()).length;
  const challenge = newChallenge();
  const zero = encodeBase64url(new Uint8Array(32));
  expect(problem(await post(first, { challenge, appKey: { share: zero } }))).toBe("502 hsm-refused");
  for (const appKey of [undefined, {}, { share: zero.slice(4) }, { share: zero, held: "x".repeat(2000) }])
    expect(problem(await post(first, { challenge, ...(appKey && { appKey }) }))).toBe("400 bad-request");
  // The instance's own has ended for the one that came to nothing: it asks for another.
  expect((await atHsm()).length).toBeLessThanOrEqual(before);
  await expect.poll(() => readRows(system.edgeDir, "hsm_batches"), { timeout: 10_000 }).toEqual([]);
  expect((await ask(first)).answer.appKey).toBeDefined();
});

it("W12 of an instance that is revoked it ends at once, with Enc(master) under it, and the others go on", async () => {
  const third = await InstanceClient.ready(ann);
  const [gone, stays] = [await ask(third), await ask(second)];
  expect(await idAtHsm(gone.appKey.id)).toHaveLength(1);
  expect((await ann.rest("DELETE", `/ra/instances/${third.enrolled.instance}`)).status).toBe(204);
  expect(await idAtHsm(gone.appKey.id)).toEqual([]);
  expect(rowsOf(third)).toEqual([]);
  const { share } = await makeShare(subtle);
  const refused = await post(third, { challenge: newChallenge(), appKey: { share, held: gone.appKey.id } });
  expect(refused.status).toBe(403);
  expect((await ask(second, { held: stays.appKey })).answer.appKey).toBeUndefined();
});

it("W12 of several that are asked for at a time one is left", async () => {
  const fourth = await InstanceClient.ready(ann);
  const asked = await Promise.allSettled(Array.from({ length: 4 }, () => ask(fourth)));
  const ids = asked.flatMap((one) => (one.status === "fulfilled" ? [one.value.appKey.id] : []));
  const last = await ask(fourth);
  expect(rowsOf(fourth).map(({ id }) => id)).toEqual([last.appKey.id]);
  for (const id of ids) expect(await idAtHsm(id)).toEqual([]);
  expect(await masterOf(fourth, last)).toBe(await masterOf(second, await ask(second)));
});

it("W1 the KMS's own live credentials wrap nothing but this tenant's master key under it", async () => {
  const [one, two] = [await ask(first), await ask(second)];
  const [[mine], [other]] = [await idAtHsm(one.appKey.id), await idAtHsm(two.appKey.id)];
  const under = (uniqueIdentifier: string, cryptographicParameters: object) => ({
    ...{ wrappingMethod: "Encrypt" as const, encodingOption: "NoEncoding" as const },
    encryptionKeyInformation: { uniqueIdentifier, cryptographicParameters },
  });
  await withKms(async (kms) => {
    const master = async (tenant: string) =>
      (await kms.request("Locate", { attributes: { name: named(masterKeyName(tenant)) } }))
        .uniqueIdentifier[0]!;
    const get = (uniqueIdentifier: string, keyWrappingSpecification?: ReturnType<typeof under>) =>
      outcome(
        kms.request("Get", {
          uniqueIdentifier,
          ...(keyWrappingSpecification && { keyWrappingSpecification }),
        }),
      );
    expect(await get(await master("development"), under(mine!, UNDER_PARENT))).toBe("Success");
    expect(await get(await master("umbrella"), under(mine!, UNDER_PARENT))).toBe("PermissionDenied");
    expect(await get(other!, under(mine!, UNDER_PARENT))).toBe("PermissionDenied");
    expect(await get(mine!)).not.toBe("Success");
    const attributes = { name: named(recipientNames(second.enrolled.instance).key) };
    const [recipient] = (await kms.request("Locate", { attributes })).uniqueIdentifier;
    expect(await get(mine!, under(recipient!, TO_RECIPIENT))).toBe("PermissionDenied");
  });
});

const PASSPHRASE = "a secret of the server, at random";
/** An application server: what it keeps of a symmetric key stands beside its ciphertext or apart. */
async function server(symmetric: string): Promise<Client> {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  const kept = keepAppKey(appKeyFile(join(dir, "app-specific-key.pem")), PASSPHRASE);
  const instance = { ...kept, symmetricKey: keepSymmetricKey(symmetricKeyFile(symmetric)) };
  const client = await connect({ app, vault, rootKey: running.rootKey, user: "server", instance });
  await client.microservice.use();
  return client;
}
const seal = async ({ documents, account }: Client, text: string) =>
  (await documents.seal(new TextEncoder().encode(text), account(), { name: "letter.txt" })).id;
const open = async ({ documents, account }: Client, id: string) =>
  new Response((await documents.open(id, { account: account() })).stream).text();

it("W1, W15 an application server keeps it encrypted where its configuration says, and opens with it after a restart", async () => {
  const path = join(dir, "app-specific-key.json");
  const before = await server(path);
  const id = await seal(before, "kept over a restart");
  const kept = await readFile(path, "utf8");
  const { id: held, wrapped } = JSON.parse(kept) as { id: string; wrapped: string };
  expect(decodeBase64url(wrapped)).toHaveLength(384);
  before.close();
  const after = await server(path);
  expect(await open(after, id)).toBe("kept over a restart");
  // It went on with the one that it had: the HSM has made no other.
  expect(await readFile(path, "utf8")).toBe(kept);
  const { port } = await after.microservice.use();
  // Rotated, at once, while it runs.
  const replaced = await port.replaceAppKey();
  expect(replaced.id).not.toBe(held);
  expect((JSON.parse(await readFile(path, "utf8")) as { id: string }).id).toBe(replaced.id);
  expect(await idAtHsm(held)).toEqual([]);
  expect(await open(after, id)).toBe("kept over a restart");
  after.close();
  // Put back what was replaced, and what is none: the first is nobody's any more, and the second is refused.
  await writeFile(path, kept);
  const again = await server(path);
  expect(await open(again, id)).toBe("kept over a restart");
  expect((JSON.parse(await readFile(path, "utf8")) as { id: string }).id).not.toBe(held);
  again.close();
  await writeFile(path, JSON.stringify({ version: 1, id: held, wrapped: "AAAA" }));
  const damaged = await server(path);
  expect(await open(damaged, id).catch(codeOf)).toBe("key-file-damaged");
  damaged.close();
});

it("W12 an application server replaces both by one call: the symmetric key, and the pair that it is kept under", async () => {
  const [pem, json] = [join(dir, "app-specific-key.pem"), join(dir, "both.json")];
  const before = await server(json);
  const id = await seal(before, "sealed before");
  const [pair, kept] = [await readFile(pem, "utf8"), await readFile(json, "utf8")];
  const held = (text: string) => (JSON.parse(text) as { id: string }).id;
  await before.life.rotateAppKey();
  expect(await readFile(pem, "utf8")).not.toBe(pair);
  const now = await readFile(json, "utf8");
  expect(held(now)).not.toBe(held(kept));
  expect(await open(before, id)).toBe("sealed before");
  before.close();
  await expect.poll(() => idAtHsm(held(kept)), { timeout: 30_000 }).toEqual([]);
  const after = await server(json);
  expect(await open(after, id)).toBe("sealed before");
  after.close();
  // A crash between the two files: the symmetric one does not open by the pair that is there, and another one comes.
  await writeFile(json, kept);
  const again = await server(json);
  expect(await open(again, id)).toBe("sealed before");
  expect(held(await readFile(json, "utf8"))).not.toBe(held(kept));
  again.close();
});
