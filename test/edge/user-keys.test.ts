/** M11: an admin of a tenant sees and ends the tenant's own keys that others have ordered, and nobody else does. */

import { expect, it } from "vitest";
import { seconds } from "#protocol/clock.ts";
import type { DescribedUserKey, KeyChange, UserKeys } from "#protocol/contract/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { Edk, RetainedKeys } from "#protocol/keys/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type Instance, instanceOf } from "../support/instance.ts";
import { retainedRequest } from "../support/retained.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({ otherApps: ["board"], otherTenants: ["umbrella"], admins: ["Ada"] });
const signedIn = (name: string) => EdgeClient.signedIn(system, name);
const userOf = ({ tokens }: EdgeClient) => tokens.user.id;
const inDays = (days: number) => seconds(Date.now()) + days * 24 * 3600;
const NOBODY = "a".repeat(32);

const list = async (by: EdgeClient, user: string, query = "") =>
  json<UserKeys>(await by.rest("GET", `/admin/users/${user}/keys${query}`));
const end = (by: EdgeClient, user: string, key: string, ends: number | null) =>
  change(by, user, key, { ends });
async function change(by: EdgeClient, user: string, key: string, to: KeyChange): Promise<string> {
  const answer = await by.rest("PUT", `/admin/users/${user}/keys/${key}`, to);
  return answer.status === 200 ? "ok" : problem(answer);
}
const endOwn = (by: EdgeClient, key: string, ends: number | null) => changeOwn(by, key, { ends });
async function changeOwn(by: EdgeClient, key: string, to: KeyChange): Promise<string> {
  const answer = await by.rest("PUT", `/kms/own-keys/${key}`, to);
  return answer.status === 200 ? "ok" : problem(answer);
}

/** A key of the tenant itself that the KMS retains. */
async function retain({ client }: Instance): Promise<string> {
  const order = { count: 1, purpose: "document", custody: "kms" };
  const { edks } = json<{ edks: [string] }>(await client.rest("POST", "/kms/data-keys", order));
  const said = JSON.parse(new TextDecoder().decode(jwsParts(edks[0]).payload)) as Edk;
  return `${said.keyId}.${said.keyVersion}`;
}

/** What the KMS answers to the instance of who has ordered it. */
async function load(of: Instance, key: string): Promise<string> {
  const request = await retainedRequest(of, { account: undefined, owner: userOf(of.client), keys: [key] });
  const answer = await of.client.vaultPost("/retained-keys", request, { cookie: "" });
  return answer.status === 200 ? String(json<RetainedKeys>(answer).keys.length) : problem(answer);
}

const rows = (action: string) =>
  readRows(system.edgeDir, "links")
    .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
    .filter((entry) => entry.action === action)
    .map(({ outcome, user, resource }) => ({ outcome, user, resource }));

it("M11 an admin lists and ends a key that somebody else has ordered: nobody is given it from then on, and its owner does not bring it back", async () => {
  const [ada, bob] = [await signedIn("Ada"), await instanceOf(await signedIn("Bob"))];
  const user = userOf(bob.client);
  expect(await list(ada, user)).toEqual({ keys: [], more: false });
  const [key, other] = [await retain(bob), await retain(bob)];
  const listed = await list(ada, user);
  expect(listed.keys.map((each) => each.key).toSorted()).toEqual([key, other].toSorted());
  expect(listed.keys[0]).toMatchObject({ client: expect.any(String), purpose: "document" });
  expect([await load(bob, key), await load(bob, other)]).toEqual(["1", "1"]);

  const ends = inDays(8);
  expect(await end(ada, user, key, ends)).toBe("ok");
  expect([await load(bob, key), await load(bob, other)]).toEqual(["403 forbidden", "1"]);
  expect((await list(ada, user)).keys.find((each) => each.key === key)?.ends).toBe(ends);
  expect([await endOwn(bob.client, key, null), await endOwn(bob.client, key, inDays(80))]).toEqual([
    "403 forbidden",
    "403 forbidden",
  ]);
  expect(await load(bob, key)).toBe("403 forbidden");
  // Called off by an admin it is its owner's again.
  expect(await end(ada, user, key, null)).toBe("ok");
  expect(await load(bob, key)).toBe("1");
  expect(await endOwn(bob.client, key, inDays(2))).toBe("ok");
  expect(await end(ada, user, key, seconds(Date.now()) + 60)).toBe("409 conflict");

  const allowed = { outcome: "allow", user: userOf(ada), resource: `key/${key}` };
  await expect
    .poll(() => rows("kms:change-key-of-user"))
    .toEqual([allowed, allowed, { ...allowed, outcome: "deny" }]);
});

it("M11 an admin sees of each key of others its state and when it was last released, and those alone that are asked for, by pages", async () => {
  const [ada, ivy] = [await signedIn("Ada"), await instanceOf(await signedIn("Ivy"))];
  const user = userOf(ivy.client);
  const order = { count: 10, purpose: "data", algorithm: "HMAC-SHA256-HKDF-SHA512" };
  expect((await ivy.client.rest("POST", "/kms/data-keys", order)).status).toBe(201);
  const [used, unused] = [await retain(ivy), await retain(ivy)];
  const before = seconds(Date.now());
  expect(await load(ivy, used)).toBe("1");
  expect(await end(ada, user, unused, inDays(8))).toBe("ok");
  const found = async (query: string) => (await list(ada, user, query)).keys;
  const listed = await found("?purpose=document");
  expect(listed.map(({ key }) => key).toSorted()).toEqual([used, unused].toSorted());
  const of = (key: string) => listed.find((each) => each.key === key)!;
  expect(of(used)).toMatchObject({ state: "enabled" });
  expect(of(used).lastReleased).toBeGreaterThanOrEqual(before);
  expect(of(unused)).toMatchObject({ state: "ending" });
  expect(of(unused).lastReleased).toBeUndefined();
  expect((await found("?state=ending")).map(({ key }) => key)).toEqual([unused]);
  expect((await found("?state=enabled")).map(({ key }) => key)).toContain(used);
  expect((await found("?state=enabled")).map(({ key }) => key)).not.toContain(unused);
  expect(await found("?state=disabled")).toEqual([]);
  const all = await found("");
  expect(all).toHaveLength(12);
  expect(await found(`?after=${all[9]!.key}`)).toEqual(all.slice(10));
  expect(problem(await ada.rest("GET", `/admin/users/${user}/keys?state=gone`))).toBe("400 bad-request");
});

it("M11 M17 an admin describes, tags and disables a key of others, and its owner does not enable it; nor does an admin what its owner has disabled", async () => {
  const [ada, jon] = [await signedIn("Ada"), await instanceOf(await signedIn("Jon"))];
  const user = userOf(jon.client);
  const [key, own] = [await retain(jon), await retain(jon)];
  expect(await load(jon, key)).toBe("1");
  const path = `/admin/users/${user}/keys/${key}`;
  const known = async () => json<DescribedUserKey>(await ada.rest("GET", path));
  expect(await known()).toMatchObject({
    ...{ key, owner: user, client: expect.any(String), purpose: "document", state: "enabled", tags: {} },
    ...{ operations: ["encrypt", "decrypt"], releases: 1, lastReleased: expect.any(Number) },
  });
  expect(await change(ada, user, key, { tags: { matter: "4711" } })).toBe("ok");
  expect((await list(ada, user, "?tag=matter")).keys.map((each) => each.key)).toEqual([key]);
  expect((await list(ada, user, "?limit=1")).more).toBe(true);

  expect(await change(ada, user, key, { state: "disabled" })).toBe("ok");
  expect(await known()).toMatchObject({ state: "disabled", tags: { matter: "4711" } });
  expect([await load(jon, key), await load(jon, own)]).toEqual(["403 forbidden", "1"]);
  expect(await changeOwn(jon.client, key, { state: "enabled" })).toBe("403 forbidden");
  expect(await changeOwn(jon.client, key, { state: "disabled" })).toBe("403 forbidden");
  // What the admin has not decided on is its owner's as before.
  expect(await changeOwn(jon.client, key, { tags: {} })).toBe("ok");
  expect(await load(jon, key)).toBe("403 forbidden");
  expect(await change(ada, user, key, { state: "enabled" })).toBe("ok");
  expect(await load(jon, key)).toBe("1");

  expect(await changeOwn(jon.client, own, { state: "disabled" })).toBe("ok");
  expect(await change(ada, user, own, { state: "enabled" })).toBe("409 conflict");
  // Nor by making the decision her own first.
  expect(await change(ada, user, own, { state: "disabled" })).toBe("409 conflict");
  expect(await change(ada, user, own, { state: "enabled" })).toBe("409 conflict");
  expect(await load(jon, own)).toBe("403 forbidden");
  expect(await changeOwn(jon.client, own, { state: "enabled" })).toBe("ok");
  expect(await load(jon, own)).toBe("1");
  // It is nobody else's to look at.
  expect(problem(await jon.client.rest("GET", path))).toBe("403 forbidden");
  expect(problem(await ada.rest("GET", `/admin/users/${NOBODY}/keys/${key}`))).toBe("404 not-found");
  const about = (outcome: string, of: string) => ({ outcome, user: userOf(ada), resource: `key/${of}` });
  await expect
    .poll(() => rows("kms:change-key-of-user").filter(({ resource }) => resource === `key/${own}`))
    .toEqual(Array(3).fill(about("deny", own)));
  await expect
    .poll(() => rows("kms:describe-key-of-user").filter(({ resource }) => resource === `key/${key}`))
    .toContainEqual(about("deny", key));
});

it("M11 an admin does not call off the deletion of a key that its owner has decided on", async () => {
  const [ada, gus] = [await signedIn("Ada"), await instanceOf(await signedIn("Gus"))];
  const user = userOf(gus.client);
  const key = await retain(gus);
  const ends = inDays(2);
  expect(await endOwn(gus.client, key, ends)).toBe("ok");
  // Nor by making the decision her own first.
  for (const other of [null, inDays(9), null]) expect(await end(ada, user, key, other)).toBe("409 conflict");
  expect((await list(ada, user)).keys[0]?.ends).toBe(ends);
  expect(await load(gus, key)).toBe("403 forbidden");
});

it("M11 a key of others is seen and ended by an admin alone: not by its owner or a neighbour, in another app or tenant, or by who was an admin", async () => {
  const [ada, cleo, dan] = [
    await signedIn("Ada"),
    await signedIn("Cleo"),
    await instanceOf(await signedIn("Dan")),
  ];
  const user = userOf(dan.client);
  const key = await retain(dan);
  const refusals = async (by: EdgeClient) => [
    problem(await by.rest("GET", `/admin/users/${user}/keys`)),
    await end(by, user, key, inDays(8)),
  ];
  const forbidden = ["403 forbidden", "403 forbidden"];
  expect(await refusals(cleo)).toEqual(forbidden);
  expect(await refusals(dan.client)).toEqual(forbidden);
  expect(await refusals(await EdgeClient.signedIn(system.tenant("umbrella"), "Ada"))).toEqual(forbidden);
  const board = { appOrigin: system.origin("board"), vaultOrigin: system.vaultOrigin };
  expect(await refusals(await EdgeClient.signedIn(board, "Ada"))).toEqual(forbidden);
  const role = `/admin/roles/admin/${userOf(cleo)}`;
  expect((await ada.rest("PUT", role)).status).toBe(204);
  expect((await list(cleo, user)).keys.map((each) => each.key)).toEqual([key]);
  expect((await ada.rest("DELETE", role)).status).toBe(204);
  expect(await refusals(cleo)).toEqual(forbidden);
  expect((await ada.rest("PUT", `/admin/roles/auditor/${userOf(cleo)}`)).status).toBe(204);
  expect(await refusals(cleo)).toEqual(forbidden);
  expect(await load(dan, key)).toBe("1");
  expect(rows("kms:change-key-of-user").filter(({ resource }) => resource === `key/${key}`)).toEqual([]);
});

it("M11 M20 an admin ends no key by the name of another user or of nobody, and of nobody an object is made", async () => {
  const [ada, eve, fay] = [await signedIn("Ada"), await signedIn("Eve"), await signedIn("Fay")];
  const [hers, other] = [await instanceOf(eve), await instanceOf(fay)];
  const [key] = [await retain(hers), await retain(other)];
  const nobody = NOBODY.replace(/^a/, "b");
  expect(await end(ada, userOf(fay), key, inDays(8))).toBe("404 not-found");
  expect(await end(ada, nobody, key, inDays(8))).toBe("404 not-found");
  expect(await list(ada, nobody)).toEqual({ keys: [], more: false });
  expect((await list(ada, userOf(eve))).keys).toHaveLength(1);
  // Who has asked is recorded of either.
  for (const user of [nobody, userOf(eve)]) {
    const listed = { outcome: "allow", user: userOf(ada), resource: `user/${user}/keys` };
    await expect.poll(() => rows("kms:list-keys-of-user")).toContainEqual(listed);
  }
  expect(await end(ada, userOf(eve), "none.1", inDays(8))).toBe("404 not-found");
  expect(await end(ada, "no user", key, inDays(8))).toBe("400 bad-request");
  expect(await load(hers, key)).toBe("1");
  const denied = { outcome: "deny", user: userOf(ada), resource: `key/${key}` };
  await expect
    .poll(() => rows("kms:change-key-of-user").filter(({ resource }) => resource === `key/${key}`))
    .toEqual([denied, denied]);
  const objects = readRows(system.edgeDir, "store_identity").map((row) => JSON.stringify(row));
  expect(objects.filter((row) => row.includes(nobody))).toEqual([]);
});
