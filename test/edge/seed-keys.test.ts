/** M9: data keys that the HSM derives from a seed, over a channel whose other end it signs for. */

import { createHmac, generateKeyPairSync, hkdfSync, pbkdf2Sync } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { AGREEMENT, IDENTITY } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { SeedEdk, TrustList } from "#protocol/keys/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type Instance, instanceOf, trustOf } from "../support/instance.ts";
import {
  askGrant,
  granted,
  load,
  openChannel,
  openKeys,
  orderKeys,
  present,
  receiptOf,
  sealSeed,
} from "../support/seed.ts";
import { type HsmClient, hsmClient, outcome } from "../system/hsm.ts";
import { readRows, useSystem, watchKeys, watchTraffic } from "../system/index.ts";

const watch = watchKeys();
const traffic = watchTraffic();
const system = useSystem({ otherTenants: ["umbrella"] });
const SEED = utf8("correct horse battery staple");
let ann: Instance;
let bob: Instance;
let trust: TrustList;

beforeAll(async () => {
  [ann, bob] = (await Promise.all(
    ["Ann", "Bob"].map(async (name) => instanceOf(await EdgeClient.signedIn(system, name))),
  )) as [Instance, Instance];
  trust = await trustOf(ann);
});
afterAll(() => {
  watch.stop();
  traffic.stop();
});

const hmacKeys = () => watch.ofClass("seed-hmac").map(({ bytes }) => bytes);
function expected(key: Uint8Array, seed: Uint8Array, label = ""): string {
  const salt = createHmac("sha256", key).update(seed).digest();
  const whole = pbkdf2Sync(seed, salt, 600_000, 32, "sha256");
  return Buffer.from(hkdfSync("sha256", whole, "", `coffer-seed-key-v1\0${label}`, 32)).toString("hex");
}

/** A share of the KMS's own, brought in. */
async function share(kms: HsmClient): Promise<string> {
  const { publicKey } = generateKeyPairSync("x25519");
  const keyMaterial = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  const { uniqueIdentifier } = await kms.request("Import", {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "PublicKey",
    attributes: { ...AGREEMENT, cryptographicUsageMask: ["KeyAgreement"] },
    object: { publicKey: { keyBlock: { keyFormatType: "X_509", keyValue: { keyMaterial } } } },
  });
  return uniqueIdentifier;
}

async function agree(kms: HsmClient, uniqueIdentifier: string[]): Promise<string> {
  const activationDate = new Date(Date.now() - 300_000);
  const made = await kms.request("DeriveKey", {
    ...{ objectType: "SecretData", uniqueIdentifier, derivationMethod: "AsymmetricKey" },
    derivationParameters: {},
    attributes: { cryptographicUsageMask: ["DeriveKey"], activationDate },
  });
  return made.uniqueIdentifier;
}

const edkOf = (token: string): SeedEdk => JSON.parse(new TextDecoder().decode(jwsParts(token).payload));

it("M9 a seed gives the same key again, as Node's own crypto derives it, and a label another one; of an account and of the tenant", async () => {
  const [plain, labelled] = (await load(ann, SEED, trust, { labels: ["", "invoices-2026"] })) as [
    string,
    string,
  ];
  expect(hmacKeys().map((key) => expected(key, SEED))).toContain(plain);
  expect(hmacKeys().map((key) => expected(key, SEED, "invoices-2026"))).toContain(labelled);
  expect(plain).not.toBe(labelled);
  const edks = await orderKeys(ann, SEED, { own: true });
  expect(await load(ann, SEED, trust, { edks })).toEqual([plain]);
  expect(await load(ann, SEED, trust, { edks })).toEqual([plain]);
  expect(await load(ann, utf8("correct horse battery stapl"), trust)).not.toEqual([plain]);
  const { wrapping, wrappedKey, seed } = edkOf(edks[0]!);
  expect({ wrapping, wrappedKey }).toEqual({ wrapping: "seed", wrappedKey: "" });
  expect(seed).toMatchObject({ parameters: "PBKDF2-HMAC-SHA-256-600000", label: "" });
});

it("M9 another tenant has another key of the same seed", async () => {
  const other = await instanceOf(await EdgeClient.signedIn(system.tenant("umbrella"), "Ann"));
  const theirs = await load(other, SEED, await trustOf(other));
  const ours = await load(ann, SEED, trust);
  expect(theirs).not.toEqual(ours);
  for (const [key] of [theirs, ours]) expect(hmacKeys().map((of) => expected(of, SEED))).toContain(key);
});

it("M9 what the HSM does is one batch, which has neither seed nor salt in clear and leaves nothing there", async () => {
  const edks = await orderKeys(ann, SEED, { labels: ["a", "b"] });
  const opened = await openChannel(ann, edks);
  const sealed = await sealSeed(ann, opened, SEED);
  const before = traffic.requests().length;
  expect((await present(ann, sealed)).status).toBe(200);
  const batches = traffic
    .requests()
    .slice(before)
    .map(({ items }) => items.map(({ operation }) => operation).join(" "));
  const gone = " Locate Revoke Destroy";
  expect(batches.filter((batch) => batch.includes("DeriveKey"))).toEqual([
    `Import DeriveKey DeriveKey Import DeriveKey DeriveKey${" Locate DeriveKey Get Destroy".repeat(2)}${gone.repeat(2)} Revoke Destroy${gone} Destroy`,
    `DeriveKey Encrypt${gone}`,
  ]);
  const bytes = Buffer.from(traffic.bytes());
  expect(bytes.includes(Buffer.from(SEED))).toBe(false);
  for (const { bytes: key } of watch.keys) expect(bytes.includes(Buffer.from(key))).toBe(false);
  await expect.poll(() => readRows(system.edgeDir, "hsm_batches"), { timeout: 10_000 }).toEqual([]);
  expect(readRows(system.edgeDir, "seed_channels")).toEqual([]);
});

it("M9 M20 whoever has the KMS's identity at the HSM agrees once by an agreement key, within its minute, and has nothing of it later", async () => {
  const edks = await orderKeys(ann, SEED);
  const opened = await openChannel(ann, edks);
  const sealed = await sealSeed(ann, opened, SEED);
  const { agreement } = receiptOf(opened);
  const kms = await hsmClient(system, IDENTITY.kms);
  try {
    const attributeReference = ["deactivationDate" as const, "initialDate" as const, "usageLimits" as const];
    const { attributes } = await kms.request("GetAttributes", {
      uniqueIdentifier: agreement,
      attributeReference,
    });
    const life = attributes.deactivationDate!.getTime() - attributes.initialDate!.getTime();
    expect(life).toBeLessThanOrEqual(60_000);
    expect(attributes.usageLimits).toMatchObject({ usageLimitsTotal: 1n, usageLimitsCount: 1n });
    const peer = await share(kms);
    // Who comes before the seed has used it up: the seed finds no key that it is sealed to.
    const agreed = await agree(kms, [agreement, peer]);
    await expect(agree(kms, [agreement, peer])).rejects.toMatchObject({ code: "PermissionDenied" });
    expect(problem(await present(ann, sealed))).toBe("502 hsm-refused");
    await expect.poll(() => outcome(agree(kms, [agreement, peer]))).toMatch(/^Object(Destroyed|NotFound)$/);
    await kms.request("Revoke", {
      uniqueIdentifier: agreed,
      revocationReason: { revocationReasonCode: "CessationOfOperation" },
    });
    // One of its own making, kept for later, is of no use when its end has come.
    const soon = new Date(Date.now() + 2000);
    const made = await kms.request("CreateKeyPair", {
      commonAttributes: { ...AGREEMENT, activationDate: new Date(Date.now() - 300_000) },
      privateKeyAttributes: { cryptographicUsageMask: ["DeriveKey"], deactivationDate: soon },
      publicKeyAttributes: { cryptographicUsageMask: ["KeyAgreement"] },
    });
    await expect
      .poll(() => Date.now(), { timeout: 10_000, interval: 200 })
      .toBeGreaterThan(soon.getTime() + 1000);
    expect(await outcome(agree(kms, [made.privateKeyUniqueIdentifier, peer]))).toBe("WrongKeyLifecycleState");
  } finally {
    kms.close();
  }
});

it("M9 M20 grant and channel are good once: of forty presentations at a time of either one goes on", async () => {
  const edks = await orderKeys(ann, SEED);
  const { made } = await openChannel(ann, edks);
  expect(problem(await ann.client.vaultPost("/seed-channels", made.body))).toBe("400 invalid-grant");
  const opened = await openChannel(ann, edks);
  const sealed = await sealSeed(ann, opened, SEED);
  const answers = await Promise.all(Array.from({ length: 40 }, () => present(ann, sealed)));
  const good = answers.filter(({ status }) => status === 200);
  expect(good).toHaveLength(1);
  const others = answers.filter(({ status }) => status !== 200).map(problem);
  expect(others.filter((code) => !/^(400 invalid-grant|429 too-many-requests)$/.test(code))).toEqual([]);
  expect(await openKeys(ann, opened, good[0]!, trust)).toHaveLength(1);
  expect(problem(await present(ann, sealed))).toBe("400 invalid-grant");
});

it("M9 M20 a seed that was altered, cut, sealed to nobody or to another channel gives no key, and uses the channel up", async () => {
  const edks = await orderKeys(ann, SEED);
  const other = await openChannel(ann, edks);
  const flip = (text: string) => (text.startsWith("A") ? `B${text.slice(1)}` : `A${text.slice(1)}`);
  const foreign = await sealSeed(ann, other, SEED);
  for (const change of [
    (of: typeof foreign) => ({ ...of, sealed: flip(of.sealed) }),
    (of: typeof foreign) => ({ ...of, nonce: flip(of.nonce) }),
    (of: typeof foreign) => ({ ...of, sealed: encodeBase64url(new Uint8Array(40)) }),
    (of: typeof foreign) => ({ ...of, sealed: foreign.sealed, nonce: foreign.nonce }),
  ]) {
    const opened = await openChannel(ann, edks);
    const sealed = await sealSeed(ann, opened, SEED);
    expect(problem(await present(ann, change(sealed)))).toBe("502 hsm-refused");
    expect(problem(await present(ann, sealed))).toBe("400 invalid-grant");
  }
  const opened = await openChannel(ann, edks);
  const sealed = await sealSeed(ann, opened, SEED);
  const others = await orderKeys(ann, SEED);
  expect(problem(await present(ann, { ...sealed, edks: others }))).toBe("400 invalid-grant");
  expect(problem(await present(ann, sealed))).toBe("400 invalid-grant");
  expect(problem(await present(ann, { ...sealed, channel: "A".repeat(43) }))).toBe("400 invalid-grant");
});

it("M9 M20 a seed that is over-long or empty is refused", async () => {
  const edks = await orderKeys(ann, SEED);
  const opened = await openChannel(ann, edks);
  const sealed = await sealSeed(ann, opened, SEED);
  for (const length of [16, 65_536 + 17])
    expect(problem(await present(ann, { ...sealed, sealed: encodeBase64url(new Uint8Array(length)) }))).toBe(
      "400 bad-request",
    );
  // Nothing was used up by what has not the form.
  expect((await present(ann, sealed)).status).toBe(200);
});

it("M9 M13 M20 a channel is for one instance: another's, even of the same custodian, gets none; nor does a proof for a grant", async () => {
  const edks = await orderKeys(ann, SEED, { labels: ["m13"] });
  const second = await instanceOf(ann.client);
  for (const thief of [second, bob]) {
    const grant = await granted(ann, edks);
    expect(problem((await openChannel(thief, edks, { grant })).answer)).toBe("403 not-recipient");
    expect(problem((await openChannel(ann, edks, { grant })).answer)).toBe("400 invalid-grant");
  }
  const change = { proof: encodeBase64url(new Uint8Array(64)) };
  expect(problem((await openChannel(ann, edks, { change })).answer)).toBe("403 not-recipient");
});

it("M9 M20 keys of a seed come by a seed alone, and other keys by none", async () => {
  const edks = await orderKeys(bob, SEED);
  const certificate = bob.enrolled.wrappingCertificate;
  const { account } = bob.client;
  const order = { account, count: 1, purpose: "document" };
  const [usual] = json<{ edks: string[] }>(await bob.client.rest("POST", "/kms/data-keys", order)).edks as [
    string,
  ];
  const rewrap = { way: "rewrap", edk: edks[0], certificate };
  expect(problem(await bob.client.rest("POST", "/kms/loads", rewrap))).toBe("400 invalid-edk");
  const several = { way: "several", edks, certificate };
  expect(problem(await bob.client.rest("POST", "/kms/loads", several))).toBe("400 invalid-edk");
  expect(problem(await askGrant(bob, [usual, ...edks]))).toBe("400 invalid-edk");
  expect(problem(await askGrant(bob, [...edks, ...(await orderKeys(bob, utf8("another seed")))]))).toBe(
    "400 invalid-edk",
  );
  const grant = await granted(bob, edks);
  const { made } = await openChannel(bob, edks, { grant: await granted(bob, edks) });
  expect(problem(await bob.client.vaultPost("/presentations", { ...made.body, grant }))).toBe(
    "400 invalid-edk",
  );
  expect(problem((await openChannel(bob, [usual], { grant })).answer)).toBe("400 invalid-edk");
  expect(problem((await openChannel(ann, edks, { grant })).answer)).toBe("403 not-recipient");
});

it("M9 M20 an order says one label a key, each once, and which seed by its digest", async () => {
  const { account } = ann.client;
  const digest = encodeBase64url(new Uint8Array(32));
  const seed = { salt: encodeBase64url(new Uint8Array(16)), digest, labels: ["a", "b"] };
  const order = (change: object) =>
    ann.client.rest("POST", "/kms/data-keys", { account, count: 2, purpose: "document", seed, ...change });
  for (const change of [
    { count: 1 },
    { custody: "kms" },
    { seed: { ...seed, labels: ["a", "a"] } },
    { seed: { ...seed, labels: ["a", "b c"] } },
    { seed: { ...seed, labels: ["a", "x".repeat(65)] } },
    { seed: { ...seed, digest: "AAAA" } },
    { seed: { ...seed, rounds: 1 } },
  ])
    expect(problem(await order(change))).toBe("400 bad-request");
  expect((await order({})).status).toBe(201);
});

it("M9 M20 who is revoked, disabled, a stranger or of another tenant gets no key of a seed, at each step", async () => {
  const gil = await instanceOf(await EdgeClient.signedIn(system, "Gil"));
  const edks = await orderKeys(gil, SEED);
  expect(problem(await askGrant(bob, edks))).toBe("403 forbidden");
  const revoked = await instanceOf(gil.client);
  const [early, late] = [await granted(revoked, edks), await openChannel(revoked, edks)];
  const sealed = await sealSeed(revoked, late, SEED);
  await gil.client.rest("DELETE", `/ra/instances/${revoked.enrolled.instance}`);
  expect(problem((await openChannel(revoked, edks, { grant: early })).answer)).toBe("403 not-recipient");
  expect(problem(await present(revoked, sealed))).toBe("403 not-recipient");
  const open = await openChannel(gil, edks);
  const ready = await sealSeed(gil, open, SEED);
  const { keyId, keyVersion } = edkOf(edks[0]!);
  const path = `/kms/accounts/${gil.client.account}/keys/${keyId}.${keyVersion}`;
  expect((await gil.client.rest("PUT", path, { state: "disabled" })).status).toBe(200);
  expect(problem(await present(gil, ready))).toBe("403 forbidden");
  expect(problem(await askGrant(gil, edks))).toBe("403 forbidden");
});

it("M9 reads go on while seeds are worked on, and one more than the tenant may have at a time is told when to come again", async () => {
  const kim = await instanceOf(await EdgeClient.signedIn(system, "Kim"));
  const edks = await orderKeys(kim, SEED);
  const many = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const opened = await openChannel(kim, edks);
      return { opened, sealed: await sealSeed(kim, opened, SEED) };
    }),
  );
  let working = true;
  const derivations = Promise.all(
    many.map(async ({ opened, sealed }) => {
      let refused = 0;
      for (;;) {
        const answer = await present(kim, sealed);
        if (answer.status === 200) return { refused, keys: await openKeys(kim, opened, answer, trust) };
        expect(problem(answer)).toBe("429 too-many-requests");
        expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
        refused++;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    }),
  ).finally(() => {
    working = false;
  });
  let reads = 0;
  const certificate = bob.enrolled.wrappingCertificate;
  const order = { account: bob.client.account, count: 1, purpose: "document" };
  const [edk] = json<{ edks: string[] }>(await bob.client.rest("POST", "/kms/data-keys", order)).edks as [
    string,
  ];
  while (working) {
    const answer = await bob.client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });
    expect(answer.status).toBe(200);
    if (working) reads++;
  }
  const done = await derivations;
  expect(new Set(done.flatMap(({ keys }) => keys)).size).toBe(1);
  expect(done.some(({ refused }) => refused > 0)).toBe(true);
  expect(reads).toBeGreaterThan(2);
});

it("M9 one user has so many grants for seeds a minute, and is told when the next one is", async () => {
  const lou = await instanceOf(await EdgeClient.signedIn(system, "Lou"));
  const edks = await orderKeys(lou, SEED);
  const answers = await Promise.all(Array.from({ length: 21 }, () => askGrant(lou, edks)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(1);
  expect(problem(refused[0]!)).toBe("429 too-many-requests");
  expect(Number(refused[0]!.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  // Grants for other keys have their own bounds.
  const order = { account: lou.client.account, count: 1, purpose: "document" };
  const usual = json<{ edks: string[] }>(await lou.client.rest("POST", "/kms/data-keys", order)).edks;
  expect((await askGrant(lou, usual)).status).toBe(201);
});

it("M9 M20 who may load no key of a seed uses up no turn, neither their own nor the tenant's", async () => {
  const max = await instanceOf(await EdgeClient.signedIn(system, "Max"));
  const edks = await orderKeys(ann, SEED);
  const refused = await Promise.all(Array.from({ length: 24 }, () => askGrant(max, edks)));
  expect(new Set(refused.map(problem))).toEqual(new Set(["403 forbidden"]));
  // Nor who is a member, with an instance that is another's.
  const own = await orderKeys(max, SEED);
  const { wrappingCertificate: certificate } = ann.enrolled;
  const foreign = await Promise.all(Array.from({ length: 24 }, () => askGrant(max, own, { certificate })));
  expect(new Set(foreign.map(problem))).toEqual(new Set(["403 not-recipient"]));
  expect((await askGrant(max, own)).status).toBe(201);
});

it("M9 nothing of a seed is kept at the edge, and each decision is in the audit log", async () => {
  const state = JSON.stringify([
    ...readRows(system.edgeDir, "load_grants"),
    ...readRows(system.edgeDir, "seed_channels"),
    ...readRows(system.edgeDir, "links"),
    ...readRows(system.edgeDir, "data_keys"),
  ]);
  expect(state).not.toContain("correct horse battery");
  const entries = () => readRows(system.edgeDir, "links").map(({ entry }) => JSON.parse(String(entry)));
  await expect
    .poll(() => entries().map(({ action, outcome }) => `${action} ${outcome}`), { timeout: 10_000 })
    .toEqual(
      expect.arrayContaining([
        "kms:seed-keys allow",
        "kms:open-seed-channel allow",
        "kms:load-by-seed allow",
        "kms:present-seed allow",
        "kms:derive-from-seed allow",
        "kms:release allow",
      ]),
    );
});
