/** M11: data keys that the KMS retains. The instance loads them by their identifiers, without a grant; policy alone decides. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { encryptedDataKeyName, IDENTITY, named } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import {
  type Edk,
  type RetainedKeys,
  type RetainedRequest,
  type TrustList,
  verifyReceipt,
} from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type Instance, instanceOf, trustOf } from "../support/instance.ts";
import { retainedRequest } from "../support/retained.ts";
import { hsmClient } from "../system/hsm.ts";
import { changeRows, readRows, useSystem, watchKeys } from "../system/index.ts";

const { subtle } = globalThis.crypto;
const watch = watchKeys();
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
afterAll(() => watch.stop());

const order = ({ client }: Instance, count: number, more: object = {}) =>
  client.rest("POST", "/kms/data-keys", {
    ...{ account: client.account, count, purpose: "document", custody: "kms" },
    ...more,
  });
const retain = async (of: Instance, count = 1, more: object = {}) =>
  json<{ edks: string[] }>(await order(of, count, more)).edks;
const said = (edk: string) => JSON.parse(new TextDecoder().decode(jwsParts(edk).payload)) as Edk;
const nameOf = (edk: string) => `${said(edk).keyId}.${said(edk).keyVersion}`;
const ask = async (of: Instance, request: Partial<RetainedRequest> = {}) =>
  of.client.vaultPost("/retained-keys", await retainedRequest(of, request), { cookie: "" });
const refusal = async (of: Instance, request: Partial<RetainedRequest> = {}) =>
  problem(await ask(of, request));

async function opened({ keys, enrolled }: Instance, { keys: loads }: RetainedKeys): Promise<string[]> {
  const recipient = await digest(decodeBase64url(enrolled.wrappingCertificate));
  return Promise.all(
    loads.map(async ({ edk, wrappedKey: text, receipt }) => {
      const wrappedKey = decodeBase64url(text);
      await verifyReceipt(receipt, trust, { wrappedKey, edk, recipient, now: now() });
      const key = await subtle.decrypt("RSA-OAEP", keys.wrapping.privateKey, wrappedKey);
      return encodeBase64url(new Uint8Array(key));
    }),
  );
}

it("M11 gives a signed reference without key bytes, and the instance loads the keys by name, without a grant or a cookie", async () => {
  const edks = await retain(ann, 3);
  for (const edk of edks) expect(said(edk)).toMatchObject({ wrapping: "retained", wrappedKey: "" });
  const answer = json<RetainedKeys>(await ask(ann, { keys: edks.map(nameOf) }));
  expect(answer.keys.map(({ edk }) => edk)).toEqual(edks);
  const found = await opened(ann, answer);
  const known = watch.ofClass("data").map(({ bytes }) => encodeBase64url(new Uint8Array(bytes)));
  for (const key of found) expect(known).toContain(key);
  expect(new Set(found).size).toBe(3);
  // The same again, however often; and no other way: who has the reference has nothing.
  expect(await opened(ann, json<RetainedKeys>(await ask(ann, { keys: edks.map(nameOf) })))).toEqual(found);
  const { wrappingCertificate: certificate } = ann.enrolled;
  const ways = [
    ann.client.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate }),
    ann.client.rest("POST", "/kms/loads", { way: "several", edks, certificate }),
    ann.client.rest("POST", "/kms/grants", { edks, certificate }),
  ];
  for (const way of ways) expect(problem(await way)).toBe("400 invalid-edk");
  expect(JSON.stringify(readRows(system.edgeDir, "retained_keys"))).not.toContain(found[0]);
});

it("M11 gives all that the instance is entitled to in one call, by pages of a hundred, and leaves out what policy denies", async () => {
  const client = await EdgeClient.signedIn(system, "Cid");
  const cid = await instanceOf(client);
  const edks: string[] = [];
  for (let batch = 0; batch < 7; batch++) edks.push(...(await retain(cid, 15)));
  const policy: KeyPolicy = { operations: ["decrypt"], principals: ["CN=somebody,O=else"] };
  const [others] = await retain(cid, 1, { policy });
  const loaded: string[] = [];
  let pages = 0;
  for (let after: string | undefined, more = true; more; pages++) {
    const answer = json<RetainedKeys>(await ask(cid, after === undefined ? {} : { after }));
    loaded.push(...answer.keys.map(({ edk }) => edk));
    after = answer.next;
    more = after !== undefined;
  }
  expect(pages).toBe(2);
  expect(loaded.sort()).toEqual(edks.sort());
  // By name it is refused, and with it all others of the request.
  expect(await refusal(cid, { keys: [nameOf(edks[0]!), nameOf(others!)] })).toBe("403 forbidden");
});

it("M11 goes on behind a page that policy denies as a whole", async () => {
  const hal = await instanceOf(await EdgeClient.signedIn(system, "Hal"));
  const policy: KeyPolicy = { operations: ["decrypt"], principals: ["CN=somebody,O=else"] };
  for (let batch = 0; batch < 7; batch++) await retain(hal, 15, { policy });
  const first = json<RetainedKeys>(await ask(hal));
  expect(first).toEqual({ keys: [], next: expect.any(String) });
  expect(json<RetainedKeys>(await ask(hal, { after: first.next! }))).toEqual({ keys: [] });
});

it("M11 M12 tells the instance in the receipt what it may do, by the key's policy as it stands", async () => {
  const [edk] = await retain(ann, 1, { policy: { operations: ["decrypt"] } });
  const { keys } = json<RetainedKeys>(await ask(ann, { keys: [nameOf(edk!)] }));
  const receipt = JSON.parse(new TextDecoder().decode(jwsParts(keys[0]!.receipt).payload));
  expect(receipt.policy.operations).toEqual(["decrypt"]);
});

it("M11 M20 a request works once: of a thousand at a time one brings the key", async () => {
  const [edk] = await retain(ann);
  const body = await retainedRequest(ann, { keys: [nameOf(edk!)] });
  const answers = await Promise.all(
    Array.from({ length: 1000 }, () => ann.client.vaultPost("/retained-keys", body)),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(new Set(answers.filter(({ status }) => status !== 200).map(problem))).toEqual(
    new Set(["400 invalid-grant"]),
  );
});

it("M11 M20 refuses what is old, of a time to come, altered, or signed by another", async () => {
  const [edk] = await retain(ann);
  const keys = [nameOf(edk!)];
  expect(await refusal(ann, { keys, iat: now() - 3600 })).toBe("400 invalid-grant");
  expect(await refusal(ann, { keys, iat: now() + 3600 })).toBe("400 invalid-grant");
  const request = await retainedRequest(ann, { keys });
  const { enrolled } = bob;
  for (const change of [
    { keys: undefined },
    { iat: request.iat - 1 },
    { jti: encodeBase64url(new Uint8Array(16)) },
    { after: keys[0] },
    { proof: encodeBase64url(new Uint8Array(64)) },
    { account: bob.client.account },
    { identityCertificate: enrolled.identityCertificate },
    { custodian: enrolled.custodian },
    { instance: enrolled.instance },
  ])
    expect(problem(await ann.client.vaultPost("/retained-keys", { ...request, ...change }))).toBe(
      "403 not-recipient",
    );
});

it("M11 M13 gives nothing to another account's instance, another tenant's, a revoked one, or one whose custodian has signed out", async () => {
  const [edk] = await retain(ann);
  const keys = [nameOf(edk!)];
  const { account } = ann.client;
  expect(await refusal(bob, { keys, account })).toBe("403 forbidden");
  expect(await refusal(bob, { keys })).toBe("404 not-found");
  const foreign = await instanceOf(await EdgeClient.signedIn(system.tenant("umbrella"), "Ann"));
  expect(await refusal(foreign, { keys, account })).toBe("403 forbidden");
  const revoked = await instanceOf(ann.client);
  await ann.client.rest("DELETE", `/ra/instances/${revoked.enrolled.instance}`);
  expect(await refusal(revoked, { keys })).toBe("403 not-recipient");
  const gil = await instanceOf(await EdgeClient.signedIn(system, "Gil"));
  const [his] = await retain(gil);
  await gil.client.vaultPost("/sign-out", {});
  expect(await refusal(gil, { keys: [nameOf(his!)] })).toMatch(/^40[13] /);
});

it("M11 a key that is disabled, or is to be deleted, is released to nobody, by name or among all", async () => {
  const dan = await instanceOf(await EdgeClient.signedIn(system, "Dan"));
  const [edk, other] = await retain(dan, 2);
  const key = nameOf(edk!);
  const path = `/kms/accounts/${dan.client.account}/keys/${key}`;
  const all = async () => json<RetainedKeys>(await ask(dan)).keys.map((one) => one.edk);
  for (const [change, back] of [
    [{ state: "disabled" }, { state: "enabled" }],
    [{ ends: now() + 2 * 24 * 3600 }, { ends: null }],
  ]) {
    expect((await dan.client.rest("PUT", path, change)).status).toBe(200);
    expect(await refusal(dan, { keys: [key] })).toBe("403 forbidden");
    expect(await all()).toEqual([other]);
    expect((await dan.client.rest("PUT", path, back)).status).toBe(200);
    expect((await ask(dan, { keys: [key] })).status).toBe(200);
  }
});

it("M11 W11 a retained key is in the HSM alone, and gone from there when its account is shredded", async () => {
  const eve = await instanceOf(await EdgeClient.signedIn(system, "Eve"));
  const [edk] = await retain(eve);
  const { keyId, keyVersion } = said(edk!);
  const kms = await hsmClient(system, IDENTITY.kms);
  const name = named(encryptedDataKeyName(keyId, keyVersion));
  const there = async () => (await kms.request("Locate", { attributes: { name } })).uniqueIdentifier.length;
  expect(await there()).toBe(1);
  const { account } = eve.client;
  const ended = await eve.client.rest("POST", `/accounts/${account}/deletion`, { immediately: true });
  expect(ended.status).toBe(200);
  await expect.poll(there, { timeout: 30_000 }).toBe(0);
  expect(await refusal(eve, { keys: [nameOf(edk!)] })).toMatch(/^40[34] /);
  kms.close();
});

it("M11 retains keys of the tenant itself too, under its master key: by their owner the instance loads them, by name or all", async () => {
  const dot = await instanceOf(await EdgeClient.signedIn(system, "Dot"));
  const edks = await retain(dot, 2, { account: undefined });
  const { owner } = said(edks[0]!);
  for (const edk of edks) {
    expect(said(edk)).toMatchObject({ owner, wrapping: "retained-own", wrappedKey: "" });
    expect(said(edk)).not.toHaveProperty("account");
  }
  const whose = { account: undefined, owner };
  const answer = json<RetainedKeys>(await ask(dot, { ...whose, keys: edks.map(nameOf) }));
  expect(answer.keys.map(({ edk }) => edk)).toEqual(edks);
  const found = await opened(dot, answer);
  const known = watch.ofClass("data").map(({ bytes }) => encodeBase64url(new Uint8Array(bytes)));
  for (const key of found) expect(known).toContain(key);
  expect(new Set(found).size).toBe(2);
  const all = json<RetainedKeys>(await ask(dot, whose));
  expect((await opened(dot, all)).sort()).toEqual(found.sort());
  expect(JSON.stringify(readRows(system.edgeDir, "retained_keys"))).not.toContain(found[0]);
  const kms = await hsmClient(system, IDENTITY.kms);
  for (const edk of edks) {
    const name = named(encryptedDataKeyName(said(edk).keyId, said(edk).keyVersion));
    expect((await kms.request("Locate", { attributes: { name } })).uniqueIdentifier).toHaveLength(1);
  }
  kms.close();
  // No other way, and nothing among the keys of an account.
  const { wrappingCertificate: certificate } = dot.enrolled;
  const ways = [
    dot.client.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate }),
    dot.client.rest("POST", "/kms/loads", { way: "several", edks, certificate }),
    dot.client.rest("POST", "/kms/grants", { edks, certificate }),
  ];
  for (const way of ways) expect(problem(await way)).toBe("400 invalid-edk");
  expect(await refusal(dot, { keys: edks.map(nameOf) })).toBe("404 not-found");
});

it("M11 M12 of the tenant's own an instance gets what their policy gives its custodian, and of an unknown owner nothing", async () => {
  const mine = await retain(ann, 1, { account: undefined });
  const principals = [ann, bob].map(({ enrolled }) => enrolled.custodian);
  const policy: KeyPolicy = { operations: ["decrypt"], principals };
  const shared = await retain(ann, 1, { account: undefined, policy });
  const { owner } = said(mine[0]!);
  const whose = { account: undefined, owner };
  const loaded = async (of: Instance, keys?: string[]) =>
    json<RetainedKeys>(await ask(of, { ...whose, ...(keys && { keys }) })).keys.map(({ edk }) => edk);
  expect(await refusal(bob, { ...whose, keys: mine.map(nameOf) })).toBe("403 forbidden");
  expect(await loaded(bob, shared.map(nameOf))).toEqual(shared);
  expect(await loaded(bob)).toEqual(shared);
  expect((await loaded(ann)).sort()).toEqual([...mine, ...shared].sort());
  const foreign = await instanceOf(await EdgeClient.signedIn(system.tenant("umbrella"), "Ann"));
  expect(await refusal(foreign, { ...whose, keys: mine.map(nameOf) })).toBe("404 not-found");
  const nobody = { account: undefined, owner: "nobody-at-all" };
  expect(await refusal(ann, { ...nobody, keys: mine.map(nameOf) })).toBe("404 not-found");
  expect(json<RetainedKeys>(await ask(ann, nobody))).toEqual({ keys: [] });
});

it("M11 M20 what is asked of an owner who has none made stands with who asks, and works once", async () => {
  const asker = await instanceOf(await EdgeClient.signedIn(system, "Hedy"));
  const nobody = { account: undefined, owner: `nobody-${crypto.randomUUID()}` };
  const request = await retainedRequest(asker, nobody);
  const send = () => asker.client.vaultPost("/retained-keys", request);
  expect(json<RetainedKeys>(await send())).toEqual({ keys: [] });
  expect(problem(await send())).toBe("400 invalid-grant");
  // The same of oneself.
  const own = await retainedRequest(asker, { account: undefined, owner: asker.client.tokens.user.id });
  expect((await asker.client.vaultPost("/retained-keys", own)).status).toBe(200);
  expect(problem(await asker.client.vaultPost("/retained-keys", own))).toBe("400 invalid-grant");
  const rows = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)) as Record<string, unknown>)
      .filter(({ resource }) => String(resource).startsWith(`owner/${nobody.owner}/`))
      .map(({ action, outcome, user }) => [action, outcome, user]);
  const user = asker.client.tokens.user.id;
  await expect.poll(rows, { timeout: 20_000 }).toEqual([
    ["kms:load-retained", "allow", user],
    ["kms:load-retained", "deny", user],
  ]);
  // Of the made-up owner there is no object: it would have a row of its own name.
  const objects = readRows(system.edgeDir, "store_identity").map((row) => JSON.stringify(row));
  expect(objects.filter((row) => row.includes(nobody.owner))).toEqual([]);
  expect(objects.filter((row) => row.includes(user)).length).toBeGreaterThan(0);
});

it("M11 who ordered a key of the tenant itself ends it: given to nobody from then on, and on its day gone from the HSM", async () => {
  const policy = (...of: Instance[]): KeyPolicy => ({
    operations: ["decrypt"],
    principals: of.map(({ enrolled }) => enrolled.custodian),
  });
  const kim = await instanceOf(await EdgeClient.signedIn(system, "Kim"));
  const [edk, other] = await retain(kim, 2, { account: undefined, policy: policy(kim, bob) });
  const { owner, keyId, keyVersion } = said(edk!);
  const key = nameOf(edk!);
  const whose = { account: undefined, owner };
  const end = ({ client }: Instance, ends: number | null, of = key) =>
    client.rest("PUT", `/kms/own-keys/${of}`, { ends });
  // Of nobody else, though policy gives them the key; not at once; and none that there is not.
  expect(problem(await end(bob, now() + 2 * 24 * 3600))).toBe("404 not-found");
  expect(problem(await end(kim, now() + 3600))).toBe("409 conflict");
  expect(problem(await end(kim, null, `${keyId}.${keyVersion + 1}`))).toBe("404 not-found");
  expect((await ask(bob, { ...whose, keys: [key] })).status).toBe(200);

  expect((await end(kim, now() + 2 * 24 * 3600)).status).toBe(200);
  for (const asker of [kim, bob]) {
    expect(await refusal(asker, { ...whose, keys: [key] })).toBe("403 forbidden");
    expect(json<RetainedKeys>(await ask(asker, whose)).keys.map((one) => one.edk)).toEqual([other]);
  }
  expect((await end(kim, null)).status).toBe(200);
  expect((await ask(bob, { ...whose, keys: [key] })).status).toBe(200);

  expect((await end(kim, now() + 2 * 24 * 3600)).status).toBe(200);
  const kms = await hsmClient(system, IDENTITY.kms);
  const name = named(encryptedDataKeyName(keyId, keyVersion));
  const there = async () => (await kms.request("Locate", { attributes: { name } })).uniqueIdentifier.length;
  expect(await there()).toBe(1);
  expect(
    changeRows(system.edgeDir, "key_management", `UPDATE key_management SET ends = 1 WHERE id = '${keyId}'`),
  ).toBe(1);
  // It wakes for the next that is made.
  await retain(kim, 1, { account: undefined });
  await expect.poll(there, { timeout: 30_000 }).toBe(0);
  expect(problem(await end(kim, null))).toBe("409 conflict");
  expect(await refusal(kim, { ...whose, keys: [key] })).toBe("404 not-found");
  kms.close();
});

it("M11 M17 a retained key of an account is rotated by its reference, and the next version is retained; the key of the list's names is not", async () => {
  const [edk] = await retain(ann);
  const rotate = (reference: string) => ann.client.rest("POST", "/kms/key-versions", { edk: reference });
  const { edk: next } = json<{ edk: string }>(await rotate(edk!));
  expect(said(next)).toMatchObject({ keyId: said(edk!).keyId, keyVersion: 2, wrapping: "retained" });
  const keys = [edk!, next];
  const loaded = json<RetainedKeys>(await ask(ann, { keys: keys.map(nameOf) }));
  expect(loaded.keys.map((one) => one.edk)).toEqual(keys);
  const allowed = loaded.keys.map(({ receipt }) => (said(receipt) as Pick<Edk, "policy">).policy.operations);
  expect(allowed).toEqual([["decrypt"], ["encrypt", "decrypt"]]);
  expect(new Set(await opened(ann, loaded)).size).toBe(2);
  const path = `/kms/accounts/${ann.client.account}/metadata-key`;
  const names = json<{ edk: string }>(await ann.client.rest("POST", path, {})).edk;
  expect(problem(await rotate(names))).toBe("409 conflict");
});

it("M11 M20 a request names an account or an owner, under its proof, and works once", async () => {
  const edks = await retain(bob, 1, { account: undefined });
  const { owner } = said(edks[0]!);
  const keys = edks.map(nameOf);
  expect(await refusal(bob, { owner, keys })).toBe("400 bad-request");
  expect(await refusal(bob, { account: undefined, keys })).toBe("400 bad-request");
  const request = await retainedRequest(bob, { account: undefined, owner, keys });
  for (const change of [
    { owner: said((await retain(ann, 1, { account: undefined }))[0]!).owner },
    { keys: undefined },
  ])
    expect(problem(await bob.client.vaultPost("/retained-keys", { ...request, ...change }))).toBe(
      "403 not-recipient",
    );
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => bob.client.vaultPost("/retained-keys", request)),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
});

it("M11 each decision on a retained key is in the audit log", async () => {
  const [edk] = await retain(ann);
  await ask(ann, { keys: [nameOf(edk!)] });
  const released = { action: "kms:release", outcome: "allow", resource: `key/${nameOf(edk!)}` };
  const entries = () => readRows(system.edgeDir, "links").map(({ entry }) => JSON.parse(String(entry)));
  await expect
    .poll(() => entries().map(({ action, outcome }) => `${action} ${outcome}`))
    .toEqual(
      expect.arrayContaining(["kms:load-retained allow", "kms:load-retained deny", "kms:release allow"]),
    );
  await expect.poll(entries).toContainEqual(expect.objectContaining(released));
});
