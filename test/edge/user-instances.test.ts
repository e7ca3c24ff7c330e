/** W12: an admin of a tenant sees and ends instances of its users, and nobody else does. */

import { expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type Instance, instanceOf } from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({ otherApps: ["board"], otherTenants: ["umbrella"], admins: ["Ada"] });
const signedIn = (name: string) => EdgeClient.signedIn(system, name);
const userOf = ({ tokens }: EdgeClient) => tokens.user.id;

type Listed = { id: string; client: string; status: string };
const list = async (by: EdgeClient, user: string) =>
  json<{ instances: Listed[] }>(await by.rest("GET", `/admin/users/${user}/instances`)).instances;
async function revoke(by: EdgeClient, user: string, id: string): Promise<string> {
  const answer = await by.rest("DELETE", `/admin/users/${user}/instances/${id}`);
  return answer.status === 204 ? "ok" : problem(answer);
}

/** What the KMS answers to an instance that wants a key. */
async function load({ client, enrolled }: Instance): Promise<string> {
  const order = { account: client.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await client.rest("POST", "/kms/data-keys", order));
  const request = { way: "rewrap", edk: edks[0], certificate: enrolled.wrappingCertificate };
  const answer = await client.rest("POST", "/kms/loads", request);
  return answer.status === 200 ? "ok" : problem(answer);
}

it("W12 an admin lists and revokes instances of others, in whichever app, and the others of that user go on", async () => {
  const [ada, bob] = [await signedIn("Ada"), await signedIn("Bob")];
  const user = userOf(bob);
  expect(await list(ada, user)).toEqual([]);
  const [lost, kept] = [await instanceOf(bob), await instanceOf(bob)];
  const board = { appOrigin: system.origin("board"), vaultOrigin: system.vaultOrigin };
  const elsewhere = await instanceOf(await EdgeClient.signedIn(board, "Bob"));
  const all = [lost, kept, elsewhere].map(({ enrolled }) => enrolled.instance);
  const listed = await list(ada, user);
  expect(listed.map(({ id }) => id).toSorted()).toEqual(all.toSorted());
  expect(new Set(listed.map(({ client }) => client)).size).toBe(2);
  expect([await load(lost), await load(kept), await load(elsewhere)]).toEqual(["ok", "ok", "ok"]);

  expect(await revoke(ada, user, lost.enrolled.instance)).toBe("ok");
  expect(await revoke(ada, user, elsewhere.enrolled.instance)).toBe("ok");
  const refused = "403 not-recipient";
  expect([await load(lost), await load(kept), await load(elsewhere)]).toEqual([refused, "ok", refused]);
  const active = (await list(ada, user)).filter(({ status }) => status === "active");
  expect(active.map(({ id }) => id)).toEqual([kept.enrolled.instance]);
  const rows = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
      .filter(({ action }) => action === "ra:revoke-of-user")
      .map(({ outcome, user, resource }) => ({ outcome, user, resource }));
  await expect.poll(() => rows().length).toBe(2);
  const resource = `user/${user}/instance/${lost.enrolled.instance}`;
  expect(rows()).toContainEqual({ outcome: "allow", user: userOf(ada), resource });
});

it("W12 an instance of others is seen and ended by an admin alone: not by its neighbour, another tenant, another app, or who was an admin", async () => {
  const [ada, cleo, dan] = [await signedIn("Ada"), await signedIn("Cleo"), await signedIn("Dan")];
  const instance = await instanceOf(dan);
  const user = userOf(dan);
  const { instance: id } = instance.enrolled;
  const refusals = async (by: EdgeClient) => [
    problem(await by.rest("GET", `/admin/users/${user}/instances`)),
    await revoke(by, user, id),
  ];
  const forbidden = ["403 forbidden", "403 forbidden"];
  expect(await refusals(cleo)).toEqual(forbidden);
  // The own ones too are another route's.
  expect(await refusals(dan)).toEqual(forbidden);
  expect(await refusals(await EdgeClient.signedIn(system.tenant("umbrella"), "Ada"))).toEqual(forbidden);
  const board = { appOrigin: system.origin("board"), vaultOrigin: system.vaultOrigin };
  expect(await refusals(await EdgeClient.signedIn(board, "Ada"))).toEqual(forbidden);
  const role = `/admin/roles/admin/${userOf(cleo)}`;
  expect((await ada.rest("PUT", role)).status).toBe(204);
  expect((await list(cleo, user)).map((listed) => listed.id)).toEqual([id]);
  expect((await ada.rest("DELETE", role)).status).toBe(204);
  expect(await refusals(cleo)).toEqual(forbidden);
  expect((await ada.rest("PUT", `/admin/roles/auditor/${userOf(cleo)}`)).status).toBe(204);
  expect(await refusals(cleo)).toEqual(forbidden);
  expect(await load(instance)).toBe("ok");
});

it("W12 an admin ends no instance by the name of another user, and none that is not there", async () => {
  const [ada, eve, fay] = [await signedIn("Ada"), await signedIn("Eve"), await signedIn("Fay")];
  const [hers, other] = [await instanceOf(eve), await instanceOf(fay)];
  expect(await revoke(ada, userOf(fay), hers.enrolled.instance)).toBe("404 not-found");
  expect(await revoke(ada, "a".repeat(32), hers.enrolled.instance)).toBe("404 not-found");
  expect(await list(ada, "a".repeat(32))).toEqual([]);
  for (const path of [`${userOf(eve)}x`, userOf(eve).toUpperCase()])
    expect(problem(await ada.rest("GET", `/admin/users/${path}/instances`)), path).toBe("400 bad-request");
  expect(await revoke(ada, userOf(eve), "x".repeat(129))).toBe("400 bad-request");
  expect([await load(hers), await load(other)]).toEqual(["ok", "ok"]);
  await ada.vaultPost("/sign-out", {});
  expect(await revoke(ada, userOf(eve), hers.enrolled.instance)).toBe("401 invalid-token");
});
