/** The audit log as people read it: an owner that of the account, everybody their own, an auditor the tenant's; nobody else anything. */

import { expect, it, vi } from "vitest";
import { principalId } from "#protocol/principal.ts";
import { withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

// Links go into segments soon: a page is read from both.
const system = useSystem({
  otherApps: ["board"],
  otherTenants: ["umbrella"],
  admins: ["Ada"],
  vars: { COFFER_AUDIT_LINKS: "20", COFFER_AUDIT_SECONDS: "1" },
});
const signedIn = (name: string) => EdgeClient.signedIn(system, name);

type Entry = {
  source: string;
  sequence: number;
  time: string;
  action: string;
  resource: string;
  outcome: string;
  requestId: string;
  code?: string;
  reason?: string;
  user?: string;
};
type Page = { entries: Entry[]; before?: string };

const ask = (by: EdgeClient, subject?: string, before?: string) => {
  const query = new URLSearchParams({ ...(subject && { subject }), ...(before && { before }) });
  return by.rest("GET", `/audit${query.size > 0 ? `?${query}` : ""}`);
};
const pageOf = async (...of: Parameters<typeof ask>) => json<Page>(await ask(...of));

async function all(by: EdgeClient, subject?: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let before: string | undefined, pages = 0; pages < 100; pages++) {
    const page = await pageOf(by, subject, before);
    expect(page.entries.length).toBeLessThanOrEqual(50);
    entries.push(...page.entries);
    if (page.before === undefined) return entries;
    before = page.before;
  }
  throw new Error("pages without end");
}

it("M20 an owner reads what all domains decided about the account, newest first, refusals with their reasons", async () => {
  const [ann, bob] = [await signedIn("Ann"), await signedIn("Bob")];
  const { account } = ann;
  json(await ann.rest("POST", "/kms/data-keys", { account, count: 1, purpose: "document" }));
  json(await ann.rest("POST", ann.documents, {}));
  const refused = await bob.rest("GET", ann.documents);
  expect(problem(refused)).toBe("403 forbidden");
  const requestId = json<{ instance: string }>(refused).instance.replace("urn:uuid:", "");
  await expect
    .poll(async () => [...new Set((await all(ann, account)).map(({ source }) => source))].toSorted())
    .toEqual(["datastore", "iam", "kms"].map((domain) => `${domain}/${account}`));
  await expect
    .poll(async () => (await all(ann, account)).find((entry) => entry.requestId === requestId))
    .toMatchObject({
      outcome: "deny",
      code: "forbidden",
      user: bob.tokens.user.id,
      reason: expect.any(String),
    });
  const entries = await all(ann, account);
  expect(entries.map(({ time }) => time)).toEqual(
    entries
      .map(({ time }) => time)
      .toSorted()
      .reverse(),
  );
  // Reading is a decision like another.
  await expect
    .poll(async () => (await all(ann, account)).map(({ action }) => action))
    .toContain("iam:read-audit");
});

it("M20 pages go on where the last one ended, from links and segments alike, and none is left out or there twice", async () => {
  const cleo = await signedIn("Cleo");
  for (let i = 0; i < 70; i++)
    expect((await cleo.rest("GET", `/accounts/${cleo.account}/members`)).status).toBe(200);
  const own = async () =>
    (await all(cleo, cleo.account)).filter(({ action }) => action === "iam:list-members");
  await expect.poll(async () => (await own()).length, { timeout: 20_000 }).toBe(70);
  await expect
    .poll(async () => (await own()).filter(({ sequence }) => sequence <= 20).length, { timeout: 20_000 })
    .toBeGreaterThan(0);
  const entries = await all(cleo, cleo.account);
  const places = entries.map(({ source, sequence }) => `${source} ${sequence}`);
  expect(new Set(places).size).toBe(places.length);
  for (const domain of ["iam", "kms", "datastore"]) {
    const chain = entries.filter(({ source }) => source === `${domain}/${cleo.account}`);
    expect(chain.map(({ sequence }) => sequence)).toEqual(chain.map((_, i) => chain.length - i));
  }
});

it("M20 nobody reads of an account that another owns, of another person, or of the tenant", async () => {
  const [dan, eve] = [await signedIn("Dan"), await signedIn("Eve")];
  const { account } = dan;
  const [dans, eves] = [dan.tokens.user.id, eve.tokens.user.id];
  for (const subject of [account, dans, crypto.randomUUID(), "a".repeat(32), undefined])
    expect(problem(await ask(eve, subject)), subject).toBe("403 forbidden");
  // A member is no owner.
  for (const role of ["member", "reader"]) {
    const put = await dan.rest("POST", `/accounts/${account}/members`, { user: eves, role });
    expect(put.status).toBe(204);
    expect(problem(await ask(eve, account))).toBe("403 forbidden");
  }
  expect((await pageOf(eve, eves)).entries.every(({ source }) => source.endsWith(`/${eves}`))).toBe(true);
  const elsewhere = await EdgeClient.signedIn(system.tenant("umbrella"), "Dan");
  expect(problem(await ask(elsewhere, account))).toBe("403 forbidden");
  // Nor an app that is not the shipped page, for an owner and for the caller's own.
  const board = await EdgeClient.signedIn(
    { appOrigin: system.origin("board"), vaultOrigin: system.vaultOrigin },
    "Dan",
  );
  for (const subject of [account, dans]) expect(problem(await ask(board, subject))).toBe("403 forbidden");
  for (const [subject, before] of [
    ["../iam", ""],
    [account, "1"],
    [account, "1.2.3.4.-5"],
    ["x".repeat(65), ""],
  ] as const)
    expect(problem(await ask(dan, subject, before)), `${subject} ${before}`).toBe("400 bad-request");
  expect((await dan.vaultPost("/sign-out", {})).status).toBe(204);
  expect(problem(await ask(dan, account))).toBe("401 invalid-token");
});

it("M12 an auditor reads the tenant's and everybody's, an admin does not, and none once the role is taken", async () => {
  const [ada, fay] = [await signedIn("Ada"), await signedIn("Fay")];
  const user = fay.tokens.user.id;
  expect(problem(await ask(fay))).toBe("403 forbidden");
  expect((await ada.rest("PUT", `/admin/roles/auditor/${user}`)).status).toBe(204);
  await expect.poll(async () => (await all(fay)).map(({ action }) => action)).toContain("iam:give-role");
  const adas = await principalId({
    tenant: "development",
    issuer: "urn:coffer:development",
    subject: "Ada",
  });
  expect((await all(fay, adas)).length).toBeGreaterThan(0);
  expect((await all(fay, ada.account)).length).toBeGreaterThan(0);
  // Of what there is not, there is nothing.
  expect(await pageOf(fay, crypto.randomUUID())).toEqual({ entries: [] });
  expect(problem(await ask(ada))).toBe("403 forbidden");
  expect(problem(await ask(ada, fay.account))).toBe("403 forbidden");
  expect((await ada.rest("DELETE", `/admin/roles/auditor/${user}`)).status).toBe(204);
  expect(problem(await ask(fay))).toBe("403 forbidden");
  expect(problem(await ask(fay, ada.account))).toBe("403 forbidden");
});
