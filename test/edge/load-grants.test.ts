/** M7: a grant to load keys, presented by the instance itself; what comes passes a channel whose other end is in the HSM. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { jwsParts } from "#protocol/jws.ts";
import {
  channelDigest,
  channelInfo,
  type Presentation,
  type Presented,
  type Receipt,
  type TrustList,
  verifyReceipt,
} from "#protocol/keys/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type Instance, instanceOf, trustOf } from "../support/instance.ts";
import { presentation } from "../support/presentation.ts";
import { readRows, useSystem, watchKeys, watchTraffic } from "../system/index.ts";

const { subtle } = globalThis.crypto;
const watch = watchKeys();
const traffic = watchTraffic();
const system = useSystem({
  otherTenants: ["umbrella"],
  // A thousand at a time.
  vars: { COFFER_HSM_REQUESTS_UNDER_WAY: "2000" },
});
let ann: Instance;
let bob: Instance;
let trust: TrustList;
const now = () => seconds(Date.now());

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

it("M12 a key that demands hybrid wrapping goes by no way to an instance without such keys", async () => {
  const { client, enrolled } = ann;
  const policy = { operations: ["encrypt", "decrypt"], wrapping: "hybrid" };
  const order = { account: client.account, count: 1, purpose: "document", policy };
  const { edks } = json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", order));
  const { wrappingCertificate: certificate } = enrolled;
  for (const way of [
    { way: "several", edks, certificate },
    { way: "rewrap", edk: edks[0], certificate },
  ])
    expect(await problem(await client.rest("POST", "/kms/loads", way))).toBe("403 hybrid-required");
  expect(await problem(await ask(ann, edks))).toBe("403 hybrid-required");
});

async function newKeys({ client }: Instance, count = 1, own = false): Promise<string[]> {
  const order = { count, purpose: "document", ...(own ? {} : { account: client.account }) };
  return json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", order)).edks;
}

const ask = ({ client, enrolled }: Instance, edks: string[], more: object = {}) =>
  client.rest("POST", "/kms/grants", { edks, certificate: enrolled.wrappingCertificate, ...more });
const granted = async (of: Instance, edks: string[], more: object = {}) =>
  json<{ grant: string; expires: number }>(await ask(of, edks, more)).grant;

type Made = Awaited<ReturnType<typeof presentation>>;

const present = ({ client }: Instance, body: object) => client.vaultPost("/presentations", body);
const refusal = async (of: Instance, grant: string, edks: string[], change: Partial<Presentation> = {}) =>
  problem(await present(of, (await presentation(of, grant, edks, change)).body));

async function openChannel({ keys, enrolled }: Instance, { body, privateKey }: Made, answer: Presented) {
  const recipient = await digest(decodeBase64url(enrolled.wrappingCertificate));
  const of = { ...body, recipient };
  const other = await subtle.importKey("raw", decodeBase64url(answer.share), "X25519", true, []);
  const agreed = await subtle.deriveKey({ name: "X25519", public: other }, privateKey, "HKDF", false, [
    "deriveKey",
  ]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: await channelInfo(of) };
  const key = await subtle.deriveKey(hkdf, agreed, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  const gcm = { name: "AES-GCM", iv: decodeBase64url(answer.nonce) };
  const plain = new Uint8Array(await subtle.decrypt(gcm, key, decodeBase64url(answer.sealed)));
  const opened: Uint8Array[] = [];
  for (const [n, edk] of body.edks.entries()) {
    const wrappedKey = plain.slice(
      (n * plain.length) / body.edks.length,
      ((n + 1) * plain.length) / body.edks.length,
    );
    const receipt = await verifyReceipt(answer.receipts[n]!, trust, {
      wrappedKey,
      edk,
      recipient,
      now: now(),
    });
    expect(receipt.channel).toBe(await channelDigest(of, answer.share));
    opened.push(new Uint8Array(await subtle.decrypt("RSA-OAEP", keys.wrapping.privateKey, wrappedKey)));
  }
  return opened;
}

it("M7 a grant brings its keys over a channel from the HSM, wrapped to the instance, each with a receipt that binds the channel", async () => {
  for (const own of [false, true]) {
    const edks = await newKeys(ann, 3, own);
    const made = await presentation(ann, await granted(ann, edks), edks);
    const before = traffic.requests().length;
    const answer = await present(ann, made.body);
    expect(answer.status, answer.text).toBe(200);
    const opened = await openChannel(ann, made, json<Presented>(answer));
    const known = watch.ofClass("data").map(({ bytes }) => encodeBase64url(new Uint8Array(bytes)));
    for (const key of opened) expect(known).toContain(encodeBase64url(new Uint8Array(key)));
    expect(new Set(opened.map((key) => encodeBase64url(new Uint8Array(key)))).size).toBe(3);
    const batches = traffic
      .requests()
      .slice(before)
      .map(({ items }) => items.map(({ operation }) => operation).join(" "));
    expect(batches.filter((batch) => batch.includes("Encrypt"))).toEqual([
      `Import CreateKeyPair Get DeriveKey DeriveKey Encrypt${" Locate Revoke Destroy".repeat(4)} Destroy`,
    ]);
  }
});

it("M7 M20 a grant works once: of a thousand presentations at a time one brings the key", async () => {
  const edks = await newKeys(ann);
  const grant = await granted(ann, edks);
  const { body } = await presentation(ann, grant, edks);
  const answers = await Promise.all(Array.from({ length: 1000 }, () => present(ann, body)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(new Set(answers.filter(({ status }) => status !== 200).map(problem))).toEqual(
    new Set(["400 invalid-grant"]),
  );
});

it("M7 M20 a grant is for its keys alone, in their order, and is used up by whatever is presented with it", async () => {
  const [first, second] = (await newKeys(ann, 2)) as [string, string];
  for (const others of [[second], [second, first], [first]]) {
    const grant = await granted(ann, [first, second]);
    expect(await refusal(ann, grant, others)).toBe("400 invalid-grant");
    expect(await refusal(ann, grant, [first, second])).toBe("400 invalid-grant");
  }
});

it("M7 M20 a grant ends with the life that was asked for", async () => {
  const edks = await newKeys(ann);
  const { grant, expires } = json<{ grant: string; expires: number }>(await ask(ann, edks, { life: 1 }));
  expect(expires - now()).toBeLessThanOrEqual(1);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  expect(await refusal(ann, grant, edks)).toBe("400 invalid-grant");
  const long = json<{ expires: number }>(await ask(ann, edks, { life: 3600 }));
  expect(long.expires - now()).toBeGreaterThan(3500);
});

it("M7 M13 a grant is for one instance: another's, even of the same custodian, gets nothing, and uses it up", async () => {
  const other = await instanceOf(ann.client);
  const edks = await newKeys(ann);
  for (const thief of [other, bob]) {
    const grant = await granted(ann, edks);
    expect(await refusal(thief, grant, edks)).toBe("403 not-recipient");
    expect(await refusal(ann, grant, edks)).toBe("400 invalid-grant");
  }
  // With the right certificate and a proof by another key, or over another share.
  for (const change of [
    { proof: encodeBase64url(new Uint8Array(64)) },
    { proof: (await presentation(bob, "x".repeat(43), edks)).body.proof },
  ])
    expect(await refusal(ann, await granted(ann, edks), edks, change)).toBe("403 not-recipient");
});

it.each([
  ["zero", new Uint8Array(32)],
  ["one", Uint8Array.of(1, ...new Uint8Array(31))],
  ["p - 1", Uint8Array.from(Buffer.from(`ec${"ff".repeat(30)}7f`, "hex"))],
])("M7 M20 a share of low order is refused by the HSM: %s", async (_, share) => {
  const edks = await newKeys(ann);
  expect(await refusal(ann, await granted(ann, edks), edks, { share: encodeBase64url(share) })).toBe(
    "502 hsm-refused",
  );
});

it.each([
  ["a longer share", { share: encodeBase64url(new Uint8Array(33)) }],
  ["no keys", { edks: [] }],
  ["an additional member", { admin: true }],
  ["a short grant", { grant: "AAAA" }],
])("M7 refuses %s", async (_, change) => {
  const edks = await newKeys(ann);
  const { body } = await presentation(ann, await granted(ann, edks), edks);
  expect(problem(await present(ann, { ...body, ...change }))).toBe("400 bad-request");
});

it("M7 M20 what is decided on a rewrap is decided on a grant, when it is asked for and when it is presented", async () => {
  const edks = await newKeys(ann);
  const bobs = await newKeys(bob);
  expect(problem(await ask(bob, edks))).toBe("403 forbidden");
  expect(problem(await ask({ ...ann, enrolled: bob.enrolled }, edks))).toBe("403 not-recipient");
  expect(problem(await ask(ann, [...edks, ...bobs]))).toBe("400 invalid-edk");
  expect(problem(await ask(ann, [...edks, ...edks]))).toBe("400 invalid-edk");
  expect(problem(await ask(ann, [`${edks[0]!.slice(0, -6)}AAAAAA`]))).toBe("400 invalid-edk");
  const foreign = await instanceOf(await EdgeClient.signedIn(system.tenant("umbrella"), "Ann"));
  expect(problem(await ask(foreign, edks))).toBe("403 forbidden");
  const grant = await granted(ann, edks);
  expect(await refusal(foreign, grant, edks)).toBe("400 invalid-grant");

  const revoked = await instanceOf(ann.client);
  const other = await granted(revoked, edks);
  await ann.client.rest("DELETE", `/ra/instances/${revoked.enrolled.instance}`);
  expect(await refusal(revoked, other, edks)).toBe("403 not-recipient");
  const gil = await instanceOf(await EdgeClient.signedIn(system, "Gil"));
  const his = await newKeys(gil);
  const late = await granted(gil, his);
  await gil.client.vaultPost("/sign-out", {});
  expect(await refusal(gil, late, his)).toMatch(/^40[13] /);
});

it("M7 nothing of a grant is kept but its hash, and each decision is in the audit log", async () => {
  const edks = await newKeys(ann);
  const grant = await granted(ann, edks);
  expect(JSON.stringify(readRows(system.edgeDir, "load_grants"))).not.toContain(grant);
  expect((await present(ann, (await presentation(ann, grant, edks)).body)).status).toBe(200);
  const entries = () => readRows(system.edgeDir, "links").map(({ entry }) => JSON.parse(String(entry)));
  await expect
    .poll(() => entries().map(({ action, outcome }) => `${action} ${outcome}`))
    .toEqual(expect.arrayContaining(["kms:grant allow", "kms:present allow", "kms:load-by-grant allow"]));
});

it("M8 a hundred keys are rewrapped in one round trip, each with its receipt", async () => {
  const edks = (await Promise.all(Array.from({ length: 7 }, () => newKeys(ann, 16)))).flat().slice(0, 100);
  const certificate = ann.enrolled.wrappingCertificate;
  const answer = await ann.client.rest("POST", "/kms/loads", { way: "several", edks, certificate });
  const { keys } = json<{ keys: { edk: string; wrappedKey: string; receipt: string }[] }>(answer);
  expect(keys.map(({ edk }) => edk)).toEqual(edks);
  const recipient = await digest(decodeBase64url(certificate));
  for (const { edk, wrappedKey, receipt } of keys) {
    const of = { wrappedKey: decodeBase64url(wrappedKey), edk, recipient, now: now() };
    const { keyId } = JSON.parse(new TextDecoder().decode(jwsParts(edk).payload)) as Receipt;
    expect((await verifyReceipt(receipt, trust, of)).keyId).toBe(keyId);
  }
  const refused = await bob.client.rest("POST", "/kms/loads", {
    ...{ way: "several", edks: edks.slice(0, 2), certificate: bob.enrolled.wrappingCertificate },
  });
  expect(problem(refused)).toBe("403 forbidden");
});
