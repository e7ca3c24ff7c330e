/** What an account may use: shown to admins of its tenant, and set by them within what the deployment allows. */

import { expect, it } from "vitest";
import type { AccountQuota } from "#protocol/contract/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({
  otherApps: ["board"],
  otherTenants: ["umbrella"],
  admins: ["Ada"],
  vars: { COFFER_DOCUMENTS_PER_ACCOUNT: "4", COFFER_BYTES_PER_ACCOUNT: "5000" },
});
const signedIn = (name: string) => EdgeClient.signedIn(system, name);
const pathOf = (account: string) => `/admin/accounts/${account}/quota`;
const read = async (by: EdgeClient, account: string) =>
  json<AccountQuota>(await by.rest("GET", pathOf(account)));
const set = async (by: EdgeClient, account: string, quota: object) => {
  const answer = await by.rest("PUT", pathOf(account), quota);
  return answer.status === 204 ? "ok" : problem(answer);
};
const create = async (by: EdgeClient) => {
  const answer = await by.rest("POST", by.documents, { id: crypto.randomUUID() });
  return answer.status === 201 ? "ok" : problem(answer);
};
const MOST = { documents: 4, bytes: 5000 };

it("an admin sees what an account uses, and lets it use less than the deployment allows, from the next request on", async () => {
  const [ada, bob] = [await signedIn("Ada"), await signedIn("Bob")];
  const { account } = bob;
  expect(await read(ada, account)).toEqual({ used: { documents: 0, bytes: 0 }, quota: MOST, most: MOST });
  expect(await set(ada, account, { documents: 1 })).toBe("ok");
  expect([await create(bob), await create(bob)]).toEqual(["ok", "403 quota-exceeded"]);
  expect(await read(ada, account)).toEqual({
    used: { documents: 1, bytes: 0 },
    quota: { documents: 1, bytes: 5000 },
    most: MOST,
    set: { by: ada.tokens.user.id, since: expect.any(Number) },
  });
  // Another one in its place, by which nothing of the account that is there goes.
  expect(await set(ada, account, { documents: 0, bytes: 0 })).toBe("ok");
  expect(await create(bob)).toBe("403 quota-exceeded");
  expect((await read(ada, account)).used.documents).toBe(1);
  expect(await set(ada, account, {})).toBe("ok");
  expect((await read(ada, account)).quota).toEqual(MOST);
  expect(await create(bob)).toBe("ok");
  const rows = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
      .filter(({ action }) => action === "datastore:set-quota")
      .map(({ outcome, user, resource }) => `${outcome} ${user} ${resource}`);
  await expect.poll(() => rows().length).toBe(3);
  expect(new Set(rows())).toEqual(new Set([`allow ${ada.tokens.user.id} account/${account}`]));
});

it("an admin lets no account use more than the deployment allows, and sets nothing that is no number", async () => {
  const [ada, cleo] = [await signedIn("Ada"), await signedIn("Cleo")];
  for (const quota of [{ documents: 5 }, { bytes: 5001 }, { documents: 1, bytes: 2 ** 53 - 1 }])
    expect(await set(ada, cleo.account, quota)).toBe("403 quota-exceeded");
  for (const quota of [{ documents: -1 }, { bytes: 1.5 }, { bytes: "1" }, { documents: null }, { more: 1 }])
    expect(await set(ada, cleo.account, quota)).toBe("400 bad-request");
  expect(await read(ada, cleo.account)).toMatchObject({ quota: MOST });
  expect(await set(ada, cleo.account, MOST)).toBe("ok");
});

it("a quota is seen and set by an admin of the tenant alone, of an account that it has", async () => {
  const [ada, dan, eve] = [await signedIn("Ada"), await signedIn("Dan"), await signedIn("Eve")];
  const refusals = async (by: EdgeClient, account = dan.account) => [
    problem(await by.rest("GET", pathOf(account))),
    await set(by, account, { documents: 1 }),
  ];
  const forbidden = ["403 forbidden", "403 forbidden"];
  // Its owner too.
  expect(await refusals(dan)).toEqual(forbidden);
  expect(await refusals(eve)).toEqual(forbidden);
  expect(await refusals(await EdgeClient.signedIn(system.tenant("umbrella"), "Ada"))).toEqual(forbidden);
  const board = { appOrigin: system.origin("board"), vaultOrigin: system.vaultOrigin };
  expect(await refusals(await EdgeClient.signedIn(board, "Ada"))).toEqual(forbidden);
  const role = `/admin/roles/admin/${eve.tokens.user.id}`;
  expect((await ada.rest("PUT", role)).status).toBe(204);
  expect((await read(eve, dan.account)).quota).toEqual(MOST);
  expect((await ada.rest("DELETE", role)).status).toBe(204);
  expect(await refusals(eve)).toEqual(forbidden);
  const foreign = await EdgeClient.signedIn(system.tenant("umbrella"), "Dan");
  for (const account of ["nobody-s", foreign.account])
    expect(await refusals(ada, account)).toEqual(["404 not-found", "404 not-found"]);
  expect(await read(ada, dan.account)).toEqual({ used: { documents: 0, bytes: 0 }, quota: MOST, most: MOST });
  const ended = await dan.rest("POST", `/accounts/${dan.account}/deletion`, { immediately: true });
  expect(ended.status).toBe(200);
  await expect.poll(() => refusals(ada), { timeout: 30_000 }).toEqual(forbidden);
});
