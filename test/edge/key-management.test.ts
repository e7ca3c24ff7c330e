/** Management of data keys on the real parts: what is known of them, and what a change does to their release. */

import { beforeAll, expect, it } from "vitest";
import { seconds } from "#protocol/clock.ts";
import type { DescribedKey, ListedKeys } from "#protocol/contract/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { useSystem } from "../system/index.ts";

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
