/** The policy that a tenant's admins put: it holds everywhere within ten seconds, and knows roles, groups, the instance and the request. */

import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

const all = { effect: "allow", principals: "*", actions: "*", resources: "*" } as const;
const deny = (change: object) => ({ ...all, effect: "deny", ...change });
const WITHIN_MS = 10_000;
const central = { statements: [all, deny({ actions: ["sign"] })] };
const system = useSystem({
  admins: ["Ada"],
  otherTenants: ["umbrella"],
  vars: { COFFER_POLICIES: JSON.stringify({ "*": central }) },
});
let ada: EdgeClient;
let bob: EdgeClient;
let certificate: string;
beforeAll(async () => {
  [ada, bob] = [await EdgeClient.signedIn(system, "Ada"), await EdgeClient.signedIn(system, "Bob")];
  certificate = json<EnrolmentAnswer>(await enrol(bob, await makeKeys())).wrappingCertificate;
});

const listed = async () =>
  json<{ policy: string | null; versions: { version: number; by: string }[] }>(
    await ada.rest("GET", "/admin/policies"),
  );
/** Puts statements, or nothing, and waits until that holds. */
async function put(...statements: object[]): Promise<void> {
  const version = (await listed()).versions[0]?.version ?? 0;
  const policy = statements.length === 0 ? null : JSON.stringify({ statements });
  const answer = await ada.rest("POST", "/admin/policies", { version, policy });
  expect(answer.status, answer.text).toBe(200);
  await pause(WITHIN_MS);
}
/** The newest version there is; the first, where nobody has put any. */
async function newest(): Promise<number> {
  const { versions } = await listed();
  if (versions[0]) return versions[0].version;
  expect((await ada.rest("POST", "/admin/policies", { version: 0, policy: null })).status).toBe(200);
  return newest();
}
const makeKey = (client: EdgeClient, headers = {}) =>
  client.rest("POST", "/kms/data-keys", { account: client.account, count: 1, purpose: "document" }, headers);
async function load(headers = {}) {
  const { edks } = json<{ edks: [string] }>(await makeKey(bob));
  return bob.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate }, headers);
}
const user = () => bob.tokens.user.id;

it("M12 a policy on a group holds within ten seconds, and for a person as soon as they are in the group or out of it", async () => {
  await put(all, deny({ principals: [{ groups: ["contractors"] }], actions: ["create"] }));
  expect((await makeKey(bob)).status).toBe(201);
  expect((await ada.rest("PUT", `/admin/groups/contractors/${user()}`)).status).toBe(204);
  expect(problem(await makeKey(bob))).toBe("403 forbidden");
  expect((await makeKey(ada)).status).toBe(201);
  expect((await ada.rest("DELETE", `/admin/groups/contractors/${user()}`)).status).toBe(204);
  expect((await makeKey(bob)).status).toBe(201);
  await put();
  expect((await ada.rest("PUT", `/admin/groups/contractors/${user()}`)).status).toBe(204);
  expect((await makeKey(bob)).status).toBe(201);
});

it("M12 a policy on a role, the instance's method and tier, and on headers and path of the request", async () => {
  await put(
    { ...all, principals: [{ roles: ["auditor"] }], actions: ["create"] },
    { ...all, principals: [{ methods: ["grant"], tiers: ["software"] }], actions: ["decrypt", "encrypt"] },
    deny({ actions: ["encrypt"], conditions: { paths: ["/kms/loads"] } }),
    deny({ conditions: { headers: { "x-legal-hold": "yes" } } }),
  );
  expect(problem(await makeKey(bob))).toBe("403 forbidden");
  expect((await ada.rest("PUT", `/admin/roles/auditor/${user()}`)).status).toBe(204);
  expect((await makeKey(bob)).status).toBe(201);
  expect(problem(await makeKey(bob, { "x-legal-hold": "yes" }))).toBe("403 forbidden");
  const { receipt } = json<{ receipt: string }>(await load());
  const { policy } = JSON.parse(Buffer.from(receipt.split(".")[1]!, "base64url").toString());
  expect(policy.operations).toEqual(["decrypt"]);
  expect(problem(await load({ "x-legal-hold": "yes" }))).toBe("403 forbidden");
  // What proves who asks is no header that a policy sees: it is not there, so an allow by it does not hold.
  await put({ ...all, conditions: { headers: { authorization: "*" } } });
  expect(problem(await makeKey(bob))).toBe("403 forbidden");
  await put({ ...all, principals: [{ tiers: ["hardware"] }] }, { ...all, actions: ["create"] });
  expect(problem(await load())).toBe("403 forbidden");
  await put();
});

it("M12 what an admin puts narrows what the deployment has, and widens nothing", async () => {
  await put(all);
  const { receipt } = json<{ receipt: string }>(await load());
  const { policy } = JSON.parse(Buffer.from(receipt.split(".")[1]!, "base64url").toString());
  expect(policy.operations).toEqual(["encrypt", "decrypt"]);
  // Neither document nor key of somebody else comes by it.
  expect(problem(await ada.rest("GET", bob.documents))).toBe("403 forbidden");
  await put();
});

it("M12 is put by admins alone, in the place of the version that they saw, and read as a whole or not taken", async () => {
  const version = await newest();
  const { versions } = await listed();
  const policy = JSON.stringify({ statements: [all] });
  const elsewhere = await EdgeClient.signedIn(system.tenant("umbrella"), "Ada");
  for (const client of [bob, elsewhere]) {
    expect(problem(await client.rest("GET", "/admin/policies"))).toBe("403 forbidden");
    expect(problem(await client.rest("POST", "/admin/policies", { version, policy }))).toBe("403 forbidden");
  }
  for (const stale of [0, version - 1, version + 1])
    expect(problem(await ada.rest("POST", "/admin/policies", { version: stale, policy }))).toBe(
      "409 conflict",
    );
  for (const wrong of [
    "{",
    "[]",
    JSON.stringify({ statements: [] }),
    JSON.stringify({ statements: [{ ...all, effect: "Allow" }] }),
    JSON.stringify({ operations: ["decrypt"] }),
    `${policy}${" ".repeat(65_536)}`,
    7,
  ])
    expect(problem(await ada.rest("POST", "/admin/policies", { version, policy: wrong }))).toBe(
      "400 bad-request",
    );
  expect((await listed()).versions).toEqual(versions);
  expect(versions.every(({ by }) => by === ada.tokens.user.id)).toBe(true);
  const rows = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
      .filter(({ action }) => action === "kms:put-policy");
  await expect.poll(() => rows().filter(({ outcome }) => outcome === "deny").length).toBeGreaterThan(5);
});

it("M12 holds after a restart, and the newest of a pair that is put at once", async () => {
  const version = await newest();
  const policies = ["create", "decrypt"].map((action) =>
    JSON.stringify({ statements: [{ ...all, actions: [action] }] }),
  );
  const answers = await Promise.all(
    policies.map((policy) => ada.rest("POST", "/admin/policies", { version, policy })),
  );
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
  const won = answers[0]!.status === 200 ? "create" : "decrypt";
  await system.restart();
  expect((await makeKey(bob)).status).toBe(won === "create" ? 201 : 403);
});
