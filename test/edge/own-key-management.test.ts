/** Management of the tenant's own data keys (M6, M11, M17): who has ordered one looks after it as members do after an account's, and nobody else does. */

import { beforeAll, expect, it } from "vitest";
import { seconds } from "#protocol/clock.ts";
import type { DescribedKey, KeyChange, ListedKeys } from "#protocol/contract/index.ts";
import { encryptedDataKeyName, IDENTITY, named } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { Edk, Receipt, RetainedKeys } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type Instance, instanceOf } from "../support/instance.ts";
import { RegisteredClient } from "../support/registered-client.ts";
import { retainedRequest } from "../support/retained.ts";
import { hsmClient } from "../system/hsm.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

const system = useSystem({ otherApps: ["board"], otherTenants: ["umbrella"], admins: ["Ada"] });
let ann: Instance;
let bob: Instance;
let server: RegisteredClient;

beforeAll(async () => {
  const signedIn = (name: string) => EdgeClient.signedIn(system, name);
  ann = await instanceOf(await signedIn("Ann"));
  bob = await instanceOf(await signedIn("Bob"), ann.keys.wrapping);
  server = await RegisteredClient.ready(await signedIn("Ada"), "server");
});

const said = <T = Edk>(jws: string): T => JSON.parse(new TextDecoder().decode(jwsParts(jws).payload));
const nameOf = (edk: string) => `${said(edk).keyId}.${said(edk).keyVersion}`;
const inDays = (days: number) => seconds(Date.now()) + days * 24 * 3600;

async function order(by: EdgeClient, more: object = {}, count = 1): Promise<string[]> {
  const answer = await by.rest("POST", "/kms/data-keys", { count, purpose: "document", ...more });
  return json<{ edks: string[] }>(answer).edks;
}
const list = async (by: EdgeClient, query = "") =>
  json<ListedKeys>(await by.rest("GET", `/kms/own-keys${query}`));
const describeIt = async (by: EdgeClient, key: string) =>
  json<DescribedKey>(await by.rest("GET", `/kms/own-keys/${key}`));
const change = (by: EdgeClient, key: string, to: KeyChange) => by.rest("PUT", `/kms/own-keys/${key}`, to);
const rotate = (by: EdgeClient, edk: string) => by.rest("POST", "/kms/key-versions", { edk });
const load = ({ client, enrolled }: Instance, edk: string) =>
  client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate: enrolled.wrappingCertificate });
async function retained(of: Instance, key: string): Promise<string[]> {
  const owner = ann.client.tokens.user.id;
  const request = await retainedRequest(of, { account: undefined, owner, keys: [key] });
  const answer = await of.client.vaultPost("/retained-keys", request, { cookie: "" });
  if (answer.status !== 200) return [problem(answer)];
  return json<RetainedKeys>(answer).keys.map(({ receipt }) =>
    said<Receipt>(receipt).policy.operations.join(),
  );
}
const operations = (answer: { text: string }) =>
  said<Receipt>((JSON.parse(answer.text) as { receipt: string }).receipt).policy.operations;

it("M17 M6 a registered client lists the keys of the tenant that it has ordered, by pages and filters, and describes, tags and rotates them", async () => {
  const made = await order(server, {}, 4);
  const [mac = ""] = await order(server, { purpose: "data", algorithm: "HMAC-SHA256-HKDF-SHA512" });
  const names = [...made, mac].map(nameOf).toSorted();
  const seen: DescribedKey[] = [];
  for (let after: string | undefined, more = true; more; ) {
    const page = await list(server, `?limit=2${after ? `&after=${after}` : ""}`);
    expect(page.keys.length).toBeLessThanOrEqual(2);
    seen.push(...page.keys);
    after = page.keys.at(-1)?.key;
    more = page.more;
  }
  expect(seen.map(({ key }) => key)).toEqual(names);
  const of = async (filter: string) => (await list(server, `?${filter}`)).keys.map(({ key }) => key);
  expect(await of("purpose=data")).toEqual([nameOf(mac)]);
  const key = nameOf(made[0]!);
  expect(json(await change(server, key, { tags: { matter: "4711" } }))).toMatchObject({
    tags: { matter: "4711" },
  });
  expect(await of("tag=matter")).toEqual([key]);
  expect((await change(server, key, { state: "disabled" })).status).toBe(200);
  expect(await of("state=disabled")).toEqual([key]);
  const ends = inDays(3);
  expect((await change(server, key, { ends })).status).toBe(200);
  expect([await of("state=disabled"), await of("state=ending")]).toEqual([[], [key]]);
  const known = await describeIt(server, key);
  expect(known).toMatchObject({ key, ends, state: "disabled", purpose: "document", releases: 0 });
  expect(known).not.toHaveProperty("account");
  expect(problem(await server.rest("GET", "/kms/own-keys/none.1"))).toBe("404 not-found");
  expect(problem(await server.rest("GET", "/kms/own-keys?limit=101"))).toBe("400 bad-request");
  // Of the key that makes MACs a next version, which does the same.
  const { edk: next } = json<{ edk: string }>(await rotate(server, mac));
  expect(said(next)).toMatchObject({ keyId: said(mac).keyId, keyVersion: 2, purpose: "data" });
  expect(said(next).policy).toEqual(said(mac).policy);
  expect((await describeIt(server, nameOf(mac))).operations).toEqual(["macVerify"]);
  // One that its own policy does not let it use it does not rotate.
  const [others = ""] = await order(server, {
    policy: { operations: ["decrypt", "encrypt"], principals: [ann.client.tokens.custodian.dn] },
  });
  expect(problem(await rotate(server, others))).toBe("403 forbidden");
});

it("M17 M6 who has ordered a key of the tenant counts its releases, disables it, and schedules its deletion and calls that off", async () => {
  const { client } = ann;
  const [edk = ""] = await order(client);
  const key = nameOf(edk);
  for (let count = 1; count <= 2; count++) {
    expect((await load(ann, edk)).status).toBe(200);
    const { releases, lastReleased } = await describeIt(client, key);
    expect(releases).toBe(count);
    expect(Math.abs(lastReleased! - seconds(Date.now()))).toBeLessThan(300);
  }
  expect(json<DescribedKey>(await change(client, key, { state: "disabled" })).state).toBe("disabled");
  expect(problem(await load(ann, edk))).toBe("403 forbidden");
  expect((await change(client, key, { state: "enabled" })).status).toBe(200);
  expect((await load(ann, edk)).status).toBe(200);
  expect(problem(await change(client, key, { ends: seconds(Date.now()) + 60 }))).toBe("409 conflict");
  expect(json<DescribedKey>(await change(client, key, { ends: inDays(2) }))).toMatchObject({
    ends: expect.any(Number),
    state: "enabled",
  });
  expect(problem(await load(ann, edk))).toBe("403 forbidden");
  expect(problem(await rotate(client, edk))).toBe("403 forbidden");
  expect(json(await change(client, key, { ends: null }))).not.toHaveProperty("ends");
  expect((await load(ann, edk)).status).toBe(200);
  const rows = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
      .filter(({ resource, action }) => resource === `key/${key}` && action === "kms:change-key")
      .map(({ outcome, user }) => [outcome, user]);
  const { id } = client.tokens.user;
  await expect
    .poll(rows)
    .toEqual(["allow", "allow", "deny", "allow", "allow"].map((outcome) => [outcome, id]));
});

it("M17 M6 a key of the tenant has a next version directly under the master key; the one before opens alone from then on", async () => {
  const { client } = ann;
  const policy: KeyPolicy = {
    operations: ["encrypt", "decrypt"],
    principals: [client.tokens.custodian.dn, bob.client.tokens.custodian.dn],
  };
  const [edk = ""] = await order(client, { policy });
  // Whom the policy names uses it, and no more than that.
  expect((await load(bob, edk)).status).toBe(200);
  expect(problem(await rotate(bob.client, edk))).toBe("403 forbidden");
  const { edk: next } = json<{ edk: string }>(await rotate(client, edk));
  const { keyId, masterKey, owner, policy: own } = said(edk);
  expect(said(next)).toMatchObject({
    keyId,
    keyVersion: 2,
    wrapping: "A256KWP",
    masterKey,
    owner,
    policy: own,
  });
  expect(said(next).wrappedKey).not.toBe(said(edk).wrappedKey);
  expect(operations(await load(bob, edk))).toEqual(["decrypt"]);
  expect(operations(await load(bob, next))).toEqual(["encrypt", "decrypt"]);
  expect(problem(await rotate(client, edk))).toBe("409 conflict");
  const many = await Promise.all(Array.from({ length: 4 }, () => rotate(client, next)));
  expect(many.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409]);
});

it("M17 M11 the next version of a key that the KMS retains is retained too, and one that nobody was given goes from the HSM", async () => {
  const { client } = ann;
  const policy = { operations: ["encrypt", "decrypt"], principals: [client.tokens.custodian.dn] };
  const [edk = ""] = await order(client, { custody: "kms", policy });
  const { keyId } = said(edk);
  const { edk: lost } = json<{ edk: string }>(await rotate(client, edk));
  expect(said(lost)).toMatchObject({ keyVersion: 2, wrapping: "retained-own", wrappedKey: "" });
  expect(await retained(ann, `${keyId}.1`)).toEqual(["decrypt"]);
  // Its answer was lost: it is made again, and nobody can be given that one.
  const past = `UPDATE data_keys SET created = created - 61 WHERE id = '${keyId}'`;
  expect(changeRows(system.edgeDir, "data_keys", past)).toBe(2);
  const { edk: again } = json<{ edk: string }>(await rotate(client, edk));
  expect(said(again)).toMatchObject({ keyVersion: 3 });
  expect(await retained(ann, `${keyId}.3`)).toEqual(["encrypt,decrypt"]);
  expect(await retained(ann, `${keyId}.2`)).toEqual(["404 not-found"]);
  const kms = await hsmClient(system, IDENTITY.kms);
  const there = async (version: number) => {
    const name = named(encryptedDataKeyName(keyId, version));
    return (await kms.request("Locate", { attributes: { name } })).uniqueIdentifier.length;
  };
  await expect.poll(() => there(2), { timeout: 30_000 }).toBe(0);
  expect([await there(1), await there(3)]).toEqual([1, 1]);
  kms.close();
});

it("M17 M6 M20 tells and changes nothing of a key of the tenant for others, in another app or tenant, or for who has signed out", async () => {
  const [edk = ""] = await order(ann.client);
  const key = nameOf(edk);
  const board = { appOrigin: system.origin("board"), vaultOrigin: system.vaultOrigin };
  const same = await EdgeClient.signedIn(board, "Ann");
  expect(same.tokens.user.id).toBe(ann.client.tokens.user.id);
  const foreign = await EdgeClient.signedIn(system.tenant("umbrella"), "Ann");
  for (const by of [bob.client, same, foreign, server]) {
    expect((await list(by)).keys.map((each) => each.key)).not.toContain(key);
    expect(problem(await by.rest("GET", `/kms/own-keys/${key}`))).toBe("404 not-found");
    expect(problem(await change(by, key, { state: "disabled" }))).toBe("404 not-found");
    expect(problem(await rotate(by, edk))).toBe("403 forbidden");
  }
  const gil = await EdgeClient.signedIn(system, "Gil");
  const [his = ""] = await order(gil);
  await gil.vaultPost("/sign-out", {});
  for (const refused of [await gil.rest("GET", "/kms/own-keys"), await rotate(gil, his)])
    expect(problem(refused)).toMatch(/^401 /);
  expect(await describeIt(ann.client, key)).toMatchObject({
    state: "enabled",
    operations: ["encrypt", "decrypt"],
  });
  expect((await load(ann, edk)).status).toBe(200);
});
