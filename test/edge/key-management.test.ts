/** Management of data keys on the real parts: what is known of them, and what a change does to their release. */

import { beforeAll, expect, it } from "vitest";
import { seconds } from "#protocol/clock.ts";
import { type DescribedKey, type ListedKeys, operations } from "#protocol/contract/index.ts";

import { caasHost, sayOperations } from "../hosts/caas.ts";
import { operated } from "../hosts/contract.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { changeRows, useSystem } from "../system/index.ts";

const system = useSystem({ otherApps: ["other"] });
let ann: EdgeClient;
let enrolled: EnrolmentAnswer;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  enrolled = json(await enrol(ann, await makeKeys()));
});

const at = (key = "") => `/kms/accounts/${ann.account}/keys${key && `/${key}`}`;
async function make(count: number, purpose = "document") {
  const algorithm = "HMAC-SHA256-HKDF-SHA512";
  const order = { account: ann.account, count, purpose, ...(purpose === "data" && { algorithm }) };
  const { edks } = json<{ edks: string[] }>(await ann.rest("POST", "/kms/data-keys", order));
  return edks.map((edk) => {
    const { keyId, keyVersion } = JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());
    return { edk, key: `${keyId}.${keyVersion}` };
  });
}
const load = (edk: string) =>
  ann.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate: enrolled.wrappingCertificate });
const describeIt = async (key: string) => json<DescribedKey>(await ann.rest("GET", at(key)));
const change = (key: string, body: object) => ann.rest("PUT", at(key), body);
const days = (count: number) => seconds(Date.now()) + count * 24 * 3600;

it("M17 lists keys by pages and filters, and describes each", async () => {
  const made = [...(await make(5)), ...(await make(2, "data"))];
  const tagged = made[0]!;
  expect((await change(tagged.key, { tags: { matter: "4711" } })).status).toBe(200);
  const seen: DescribedKey[] = [];
  for (let after: string | undefined, more = true; more; ) {
    const path = `${at()}?limit=3${after ? `&after=${after}` : ""}`;
    const page = json<ListedKeys>(await ann.rest("GET", path));
    expect(page.keys.length).toBeLessThanOrEqual(3);
    seen.push(...page.keys);
    after = page.keys.at(-1)?.key;
    more = page.more;
  }
  const names = seen.map(({ key }) => key);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining(made.map(({ key }) => key)));
  const of = async (filter: string) =>
    json<ListedKeys>(await ann.rest("GET", `${at()}?${filter}`)).keys.map(({ key }) => key);
  expect((await of("purpose=data")).sort()).toEqual(
    made
      .slice(5)
      .map(({ key }) => key)
      .sort(),
  );
  expect(await of("tag=matter")).toEqual([tagged.key]);
  expect(await of("state=disabled")).toEqual([]);
  expect(await describeIt(made[5]!.key)).toMatchObject({
    ...{ account: ann.account, purpose: "data", state: "enabled", releases: 0, tags: {} },
    operations: ["mac", "macVerify"],
  });
  expect(problem(await ann.rest("GET", `${at()}?limit=101`))).toBe("400 bad-request");
  expect(problem(await ann.rest("GET", at("none.1")))).toBe("404 not-found");
});

it("M17 counts releases, and releases no key that is disabled until it is enabled again", async () => {
  const [one] = await make(1);
  const { edk, key } = one!;
  for (let count = 1; count <= 2; count++) {
    expect((await load(edk)).status).toBe(200);
    const { releases, lastReleased } = await describeIt(key);
    expect(releases).toBe(count);
    expect(Math.abs(lastReleased! - seconds(Date.now()))).toBeLessThan(300);
  }
  expect(json<DescribedKey>(await change(key, { state: "disabled" }))).toMatchObject({ state: "disabled" });
  expect(problem(await load(edk))).toBe("403 forbidden");
  expect((await describeIt(key)).releases).toBe(2);
  await change(key, { state: "enabled" });
  expect((await load(edk)).status).toBe(200);
});

it("M17 releases no key that is to be deleted, until that is called off", async () => {
  const [one] = await make(1);
  const { edk, key } = one!;
  expect(problem(await change(key, { ends: seconds(Date.now()) + 60 }))).toBe("409 conflict");
  const ends = days(30);
  expect(json<DescribedKey>(await change(key, { ends }))).toMatchObject({ ends, state: "enabled" });
  expect(problem(await load(edk))).toBe("403 forbidden");
  expect(await describeIt(key)).toMatchObject({ ends });
  expect(json<DescribedKey>(await change(key, { ends: null }))).not.toHaveProperty("ends");
  expect((await load(edk)).status).toBe(200);
});

it("M17 tells and changes nothing for a stranger to the account, nor for another app of the same user", async () => {
  const [one] = await make(1);
  const eve = await EdgeClient.signedIn(system, "Eve");
  for (const [method, path] of [
    ["GET", at()],
    ["GET", at(one!.key)],
    ["PUT", at(one!.key)],
  ] as const) {
    const body = method === "PUT" ? { state: "disabled" } : undefined;
    expect(problem(await eve.rest(method, path, body)), path).toBe("403 forbidden");
  }
  const elsewhere = { appOrigin: system.origin("other"), vaultOrigin: system.vaultOrigin };
  const same = await EdgeClient.signedIn(elsewhere, "Ann");
  expect(same.account).toBe(ann.account);
  expect(json<ListedKeys>(await same.rest("GET", at())).keys).toEqual([]);
  expect(problem(await same.rest("PUT", at(one!.key), { state: "disabled" }))).toBe("404 not-found");
  expect((await load(one!.edk)).status).toBe(200);
});

it("M17 a key has a next version, which does what the one before did; that opens and verifies alone from then on", async () => {
  const [one] = await make(1, "data");
  const client = await EdgeClient.signedIn(system, "Ann");
  await sayOperations(system, true);
  const caas = caasHost(client);
  const data = "YSBsZXR0ZXI";
  const { mac } = await operated(caas, "mac", { key: one!.edk, data });
  const rotate = (edk: string) => ann.rest("POST", "/kms/key-versions", { edk });
  const answer = await rotate(one!.edk);
  expect(answer.status).toBe(201);
  const { edk: next } = json<{ edk: string }>(answer);
  const said = (edk: string) => JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());
  const [id] = one!.key.split(".");
  expect(said(next)).toMatchObject({
    keyId: id,
    keyVersion: 2,
    purpose: "data",
    algorithm: "HMAC-SHA256-HKDF-SHA512",
  });
  expect(said(next).policy).toEqual(said(one!.edk).policy);
  // Another key, which makes other MACs; what was made before verifies by the one before.
  const fresh = await operated(caas, "mac", { key: next, data });
  expect(fresh.mac).not.toBe(mac);
  expect(await operated(caas, "macVerify", { key: one!.edk, data, mac })).toEqual({ valid: true });
  expect(await operated(caas, "macVerify", { key: next, data, mac })).toEqual({ valid: false });
  const path = operations.mac.path;
  expect(problem(await caas.send("POST", path, { body: { key: one!.edk, data } }))).toBe("403 forbidden");
  expect((await load(one!.edk)).status).toBe(200);
  expect((await describeIt(one!.key)).operations).toEqual(["macVerify"]);
  expect((await describeIt(`${id}.2`)).operations).toEqual(["mac", "macVerify"]);
  // The newest one alone has a next one, and of many at once one wins.
  expect(problem(await rotate(one!.edk))).toBe("409 conflict");
  const many = await Promise.all(Array.from({ length: 6 }, () => rotate(next)));
  expect(many.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
});

it("M17 rotates no key for a stranger, a reader or another app, none that is disabled or to be deleted, and none that is no key", async () => {
  const [one] = await make(1, "data");
  const rotate = (by: EdgeClient, edk = one!.edk) => by.rest("POST", "/kms/key-versions", { edk });
  const [eve, same, rea] = await Promise.all([
    EdgeClient.signedIn(system, "Eve"),
    EdgeClient.signedIn({ appOrigin: system.origin("other"), vaultOrigin: system.vaultOrigin }, "Ann"),
    EdgeClient.signedIn(system, "Rea"),
  ]);
  const members = `/accounts/${ann.account}/members`;
  const user = rea.tokens.user.id;
  expect((await ann.rest("POST", members, { user, role: "reader" })).status).toBe(204);
  for (const client of [eve, same, rea]) expect(problem(await rotate(client))).toBe("403 forbidden");
  await change(one!.key, { state: "disabled" });
  expect(problem(await rotate(ann))).toBe("403 forbidden");
  await change(one!.key, { state: "enabled", ends: days(30) });
  expect(problem(await rotate(ann))).toBe("403 forbidden");
  await change(one!.key, { ends: null });
  expect(problem(await rotate(ann, "e30.e30.c2ln"))).toBe("400 invalid-edk");
  expect((await describeIt(one!.key)).operations).toEqual(["mac", "macVerify"]);
  expect((await rotate(ann)).status).toBe(201);
});

it("M17 a next version whose answer was lost is made again, and the one that nobody was given ends", async () => {
  const [one] = await make(1, "data");
  const [id] = one!.key.split(".");
  const rotate = async () => ann.rest("POST", "/kms/key-versions", { edk: one!.edk });
  const lost = json<{ edk: string }>(await rotate()).edk;
  // It may still be on its way.
  expect(problem(await rotate())).toBe("409 conflict");
  const past = `UPDATE data_keys SET created = created - 61 WHERE id = '${id}'`;
  expect(changeRows(system.edgeDir, "data_keys", past)).toBe(2);
  const { edk: again } = json<{ edk: string }>(await rotate());
  expect((await describeIt(`${id}.3`)).operations).toEqual(["mac", "macVerify"]);
  expect((await describeIt(one!.key)).operations).toEqual(["macVerify"]);
  expect(problem(await load(lost))).toBe("403 forbidden");
  // Nor may it come back, by whom it was made for.
  for (const back of [{ state: "enabled" }, { ends: null }])
    expect(problem(await change(`${id}.2`, back))).toBe("409 conflict");
  expect((await load(again)).status).toBe(200);
  // Whoever has been given a version keeps it.
  changeRows(system.edgeDir, "data_keys", past);
  expect(problem(await rotate())).toBe("409 conflict");
});

it("M17 M12 rotates a key whose policy asks for a tier for who has an instance of that tier, and for nobody else", async () => {
  const ordered = async (tier: string) => {
    const policy = { operations: ["mac", "macVerify"], tier };
    const algorithm = "HMAC-SHA256-HKDF-SHA512";
    const order = { account: ann.account, count: 1, purpose: "data", algorithm, policy };
    return json<{ edks: string[] }>(await ann.rest("POST", "/kms/data-keys", order)).edks[0]!;
  };
  const rotate = (edk: string, certificate?: string) =>
    ann.rest("POST", "/kms/key-versions", { edk, certificate });
  const own = enrolled.wrappingCertificate;
  for (const tier of ["hardware", "emulated"]) {
    const edk = await ordered(tier);
    expect(problem(await rotate(edk))).toBe("403 forbidden");
    expect(problem(await rotate(edk, own))).toBe("403 forbidden");
  }
  const edk = await ordered("software");
  expect(problem(await rotate(edk))).toBe("403 forbidden");
  expect(problem(await rotate(edk, "AAAA"))).toBe("403 not-recipient");
  const stranger = await EdgeClient.signedIn(system, "Tor");
  const theirs = json<EnrolmentAnswer>(await enrol(stranger, await makeKeys())).wrappingCertificate;
  expect(problem(await rotate(edk, theirs))).toBe("403 not-recipient");
  const ended = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
  await ann.rest("DELETE", `/ra/instances/${ended.instance}`);
  expect(problem(await rotate(edk, ended.wrappingCertificate))).toBe("403 not-recipient");
  expect((await rotate(edk, own)).status).toBe(201);
});

it("M17 M12 rotates no key for whom its own policy leaves out, nor one whose versions instances number", async () => {
  const order = {
    ...{ account: ann.account, count: 1, purpose: "data", algorithm: "HMAC-SHA256-HKDF-SHA512" },
    policy: { operations: ["mac", "macVerify"], principals: [ann.tokens.custodian.dn] },
  };
  const [edk = ""] = json<{ edks: string[] }>(await ann.rest("POST", "/kms/data-keys", order)).edks;
  const wes = await EdgeClient.signedIn(system, "Wes");
  const members = `/accounts/${ann.account}/members`;
  expect((await ann.rest("POST", members, { user: wes.tokens.user.id, role: "member" })).status).toBe(204);
  const rotate = (by: EdgeClient) => by.rest("POST", "/kms/key-versions", { edk });
  expect(problem(await rotate(wes))).toBe("403 forbidden");
  expect((await rotate(ann)).status).toBe(201);
  const [one] = await make(1, "data");
  const [id] = one!.key.split(".");
  const row = `INSERT INTO account_data_keys (id, version, client, state, hsm) SELECT id, 1, client, 'kept', 'none' FROM data_keys WHERE id = '${id}'`;
  changeRows(system.edgeDir, "account_data_keys", row);
  expect(problem(await ann.rest("POST", "/kms/key-versions", { edk: one!.edk }))).toBe("409 conflict");
});
