/** Who administers a tenant: the first by the deployment's setting, others by role; and what an admin cannot do. */

import { expect, it, vi } from "vitest";
import { principalId } from "#protocol/principal.ts";
import { hold, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const system = useSystem({ otherApps: ["board"], otherTenants: ["umbrella"], admins: ["Ada"] });
const signedIn = (name: string) => EdgeClient.signedIn(system, name);
const idOf = (subject: string) =>
  principalId({ tenant: "development", issuer: "urn:coffer:development", subject });
type Standing = { user: string; roles: string[]; groups: string[]; accounts?: unknown };
async function standingOf(client: EdgeClient): Promise<Standing> {
  const { accounts: _, ...standing } = json<Standing>(await client.rest("GET", "/standing"));
  return standing;
}
const ROUTES = (user: string) =>
  [
    ["GET", "/admin/roles"],
    ["PUT", `/admin/roles/admin/${user}`],
    ["DELETE", `/admin/roles/admin/${user}`],
    ["GET", "/admin/groups"],
    ["GET", "/admin/groups/staff"],
    ["PUT", `/admin/groups/staff/${user}`],
    ["DELETE", `/admin/groups/staff/${user}`],
  ] as const;

async function answers(client: EdgeClient, user: string): Promise<string[]> {
  const all: string[] = [];
  for (const [method, path] of ROUTES(user)) {
    const answer = await client.rest(method, path);
    all.push(answer.status < 300 ? "ok" : problem(answer));
  }
  return [...new Set(all)];
}

it("the first admin is whom the setting names; anybody else is refused, and both are in the audit log", async () => {
  const [ada, bob] = [await signedIn("Ada"), await signedIn("Bob")];
  expect(await standingOf(ada)).toEqual({ user: ada.tokens.user.id, roles: ["admin"], groups: [] });
  expect(await standingOf(bob)).toEqual({ user: bob.tokens.user.id, roles: [], groups: [] });
  expect(await answers(ada, bob.tokens.user.id)).toEqual(["ok"]);
  expect(await answers(bob, bob.tokens.user.id)).toEqual(["403 forbidden"]);
  const rows = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
      .filter(({ action }) => action === "iam:give-role");
  await expect.poll(() => rows().length).toBe(2);
  const told = rows().map(({ outcome, user, resource }) => ({ outcome, user, resource }));
  const resource = `user/${bob.tokens.user.id}/role/admin`;
  expect(told).toContainEqual({ outcome: "allow", user: ada.tokens.user.id, resource });
  expect(told).toContainEqual({ outcome: "deny", user: bob.tokens.user.id, resource });
});

it("what a person is comes with the own accounts, shared ones too", async () => {
  const [bob, gil] = [await signedIn("Bob"), await signedIn("Gil")];
  const share = { user: gil.tokens.user.id, role: "reader" };
  expect((await bob.rest("POST", `/accounts/${bob.account}/members`, share)).status).toBe(204);
  const { accounts } = json<Standing>(await gil.rest("GET", "/standing"));
  expect(accounts).toEqual([
    { id: gil.account, name: "Gil" },
    { id: bob.account, name: "Bob" },
  ]);
  expect(json(await gil.rest("GET", "/accounts"))).toEqual({ accounts });
});

it("who is made an admin is one from the next request on, and no more when the role is taken", async () => {
  const [ada, cleo] = [await signedIn("Ada"), await signedIn("Cleo")];
  const user = cleo.tokens.user.id;
  expect((await ada.rest("PUT", `/admin/roles/admin/${user}`)).status).toBe(204);
  expect((await standingOf(cleo)).roles).toEqual(["admin"]);
  const { roles } = json<{ roles: { user: string; role: string }[] }>(await cleo.rest("GET", "/admin/roles"));
  expect(roles).toMatchObject([{ user, role: "admin" }]);
  expect((await ada.rest("DELETE", `/admin/roles/admin/${user}`)).status).toBe(204);
  expect((await standingOf(cleo)).roles).toEqual([]);
  expect(await answers(cleo, user)).toEqual(["403 forbidden"]);
  // Whom the setting names, nobody unmakes.
  expect((await ada.rest("DELETE", `/admin/roles/admin/${ada.tokens.user.id}`)).status).toBe(204);
  expect((await standingOf(ada)).roles).toEqual(["admin"]);
});

it("an admin opens no documents: no account of another, no key, whatever role or group", async () => {
  const [ada, dan] = [await signedIn("Ada"), await signedIn("Dan")];
  const order = { account: dan.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await dan.rest("POST", "/kms/data-keys", order));
  for (const path of [`roles/auditor/${ada.tokens.user.id}`, `groups/staff/${ada.tokens.user.id}`])
    expect((await ada.rest("PUT", `/admin/${path}`)).status).toBe(204);
  const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(ada, await makeKeys()));
  expect(problem(await ada.rest("GET", dan.documents))).toBe("403 forbidden");
  expect(problem(await ada.rest("POST", "/kms/data-keys", order))).toBe("403 forbidden");
  const load = { way: "rewrap", edk: edks[0], certificate };
  expect(problem(await ada.rest("POST", "/kms/loads", load))).toBe("403 forbidden");
});

it("an admin administers by the shipped page's client alone, in the own tenant alone, and signed in", async () => {
  const ada = await signedIn("Ada");
  const board = await EdgeClient.signedIn(
    { appOrigin: system.origin("board"), vaultOrigin: system.vaultOrigin },
    "Ada",
  );
  expect(await answers(board, board.tokens.user.id)).toEqual(["403 forbidden"]);
  const elsewhere = await EdgeClient.signedIn(system.tenant("umbrella"), "Ada");
  expect(await answers(elsewhere, elsewhere.tokens.user.id)).toEqual(["403 forbidden"]);
  await ada.vaultPost("/sign-out", {});
  expect(await answers(ada, ada.tokens.user.id)).toEqual(["401 invalid-token"]);
});

it("a role and a group may wait for somebody who has not signed in yet", async () => {
  const ada = await signedIn("Ada");
  const eve = await idOf("Eve");
  expect((await ada.rest("PUT", `/admin/roles/auditor/${eve}`)).status).toBe(204);
  expect((await ada.rest("PUT", `/admin/groups/staff/${eve}`)).status).toBe(204);
  const client = await signedIn("Eve");
  expect(await standingOf(client)).toEqual({ user: eve, roles: ["auditor"], groups: ["staff"] });
  const { members } = json<{ members: { user: string }[] }>(await ada.rest("GET", "/admin/groups/staff"));
  expect(members.map(({ user }) => user)).toContain(eve);
  expect((await ada.rest("DELETE", `/admin/groups/staff/${eve}`)).status).toBe(204);
  expect((await standingOf(client)).groups).toEqual([]);
});

it("what names no role, group or user is refused as malformed", async () => {
  const ada = await signedIn("Ada");
  const user = ada.tokens.user.id;
  for (const path of [
    `roles/owner/${user}`,
    `roles/admin/${user}x`,
    `roles/admin/${user.toUpperCase()}`,
    `groups/Staff/${user}`,
    `groups/${"a".repeat(64)}/${user}`,
  ])
    expect(problem(await ada.rest("PUT", `/admin/${path}`)), path).toBe("400 bad-request");
});

it("a role that was taken is gone after a kill before the principal's object has heard", async () => {
  const [ada, fay] = [await signedIn("Ada"), await signedIn("Fay")];
  const path = `/admin/roles/admin/${fay.tokens.user.id}`;
  expect((await ada.rest("PUT", path)).status).toBe(204);
  hold("IamPrincipalObject.appointed");
  await system.restart();
  const asked = ada.rest("DELETE", path).catch(() => {});
  await expect.poll(() => system.log()).toContain("held IamPrincipalObject.appointed");
  // The tenant's object refuses from its decision on.
  expect(problem(await fay.rest("GET", "/admin/roles"))).toBe("403 forbidden");
  process.kill(system.pid, "SIGKILL");
  await asked;
  hold();
  await system.restart();
  await expect.poll(async () => (await standingOf(fay)).roles, { timeout: 60_000 }).toEqual([]);
});
