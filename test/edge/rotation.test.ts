/** The rotation of a tenant's master key over all its accounts, in the background, on the real edge with the real HSM. */

import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, it } from "vitest";
import { retireMasterKey, rotateMasterKey } from "#cli/master-key.ts";
import type { RotationProgress } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, type Keys, makeKeys } from "../support/instance.ts";
import { copyAccount, untilChained } from "../support/many-accounts.ts";
import { hsmClient } from "../system/hsm.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

const ACCOUNTS = 300;
/** Accounts that are read from all the time. */
const READ = 4;

const system = useSystem({ admins: ["Ann"], vars: { COFFER_ROTATION_PER_SECOND: "400" } });
let ann: EdgeClient;
let keys: Keys;
let certificate: string;

beforeAll(async () => {
  keys = await makeKeys();
  ann = await EdgeClient.signedIn(system, "Ann");
  ({ wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(ann, keys)));
});

const progress = async () => json<RotationProgress>(await ann.rest("GET", "/kms/rotation"));

async function newAccount(by: EdgeClient): Promise<string> {
  const wanted = { name: "Another", nonce: crypto.randomUUID() };
  return json<{ id: string }>(await by.rest("POST", "/accounts", wanted)).id;
}

const order = (account: string) =>
  ann.rest("POST", "/kms/data-keys", { account, count: 1, purpose: "document" });
const newEdk = async (account: string) => json<{ edks: [string] }>(await order(account)).edks[0];
const load = (edk: string) => ann.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });

async function store(account: string, text: string): Promise<void> {
  const documents = `/accounts/${account}/documents`;
  const { id } = json<{ id: string }>(await ann.rest("POST", documents, {}));
  const at = `${documents}/${id}`;
  const sealed = new TextEncoder().encode(text);
  const { etag } = json<{ etag: string }>(await ann.rest("PUT", `${at}/parts/1`, sealed));
  expect((await ann.rest("PUT", `${at}/metadata`, sealed)).status).toBe(204);
  const completion = { parts: [{ part: 1, etag }], size: sealed.length };
  expect((await ann.rest("POST", `${at}/complete`, completion)).status).toBe(200);
}

/** What is stored of documents, and of data keys: neither has anything to do with a master key. */
const documentsAndKeys = async (account: string) => {
  const rows = [
    ["_mf_objects", "r2"],
    ["documents", "do/coffer-DatastoreAccountObject"],
    ["data_keys", "do/coffer-KmsAccountObject"],
  ].map(([table = "", folder = ""]) => readRows(join(system.edgeDir, folder), table));
  const texts = rows.flat().map((row) => JSON.stringify(row));
  const its = texts.filter((text) => text.includes(account)).sort();
  expect(its.length).toBeGreaterThan(2);
  return digest(JSON.stringify(its));
};

it("W11 an account is made with its key, whose first member may use it; asked for again it is the same", async () => {
  const wanted = { name: "Cases of 2026", nonce: crypto.randomUUID() };
  const created = json<{ id: string }>(await ann.rest("POST", "/accounts", wanted));
  expect(created).toMatchObject({ name: wanted.name });
  expect(json(await ann.rest("POST", "/accounts", wanted))).toEqual(created);
  const { id: account } = created;
  expect((await load(await newEdk(account))).status).toBe(200);
  const bob = await EdgeClient.signedIn(system, "Bob");
  expect(problem(await bob.rest("GET", `/accounts/${account}/documents`))).toBe("403 forbidden");
  // By the same nonce another user has another account.
  const his = json<{ id: string }>(await bob.rest("POST", "/accounts", wanted));
  expect(his.id).not.toBe(account);
  expect(problem(await bob.rest("POST", "/accounts", { ...wanted, nonce: "x" }))).toBe("400 bad-request");
  expect(problem(await bob.rest("POST", "/accounts", { ...wanted, name: "" }))).toBe("400 bad-request");
});

it("W12 the rotation moves 300 accounts in the background, goes on after a kill, and nothing fails meanwhile", {
  timeout: 480_000,
}, async () => {
  const seed = await newAccount(ann);
  await newEdk(seed);
  await expect.poll(async () => (await progress()).all).toBeGreaterThanOrEqual(2);
  await store(seed, "sealed");
  json(await ann.rest("POST", "/kms/rotation"));
  const before = await progress();
  await untilChained(system.edgeDir, seed);
  let copies: string[] = [];
  await system.restart(() => {
    copies = copyAccount(system.edgeDir, seed, ACCOUNTS);
  });
  const edks: string[] = [];
  for (const account of copies.slice(0, READ)) edks.push(await newEdk(account));
  const stored = await documentsAndKeys(seed);
  const all = before.all + ACCOUNTS;
  const officer = await hsmClient(system, IDENTITY.officer);
  const { replaced, successor } = await rotateMasterKey(officer, "development", new Date());
  const begun = json<RotationProgress>(await ann.rest("POST", "/kms/rotation"));
  expect(begun).toEqual({ master: successor, all, moved: 0, failed: 0 });

  const answers = { read: 0, failed: [] as string[] };
  let reading = true;
  let away = false;
  const read = async (edk: string) => {
    while (reading) {
      const began = away;
      const answer = await load(edk).catch(() => undefined);
      // What the kill has cut off was not answered.
      if (!began && !away) {
        answers.read += 1;
        if (answer?.status !== 200) answers.failed.push(answer ? problem(answer) : "no answer");
      }
      await pause(200);
    }
  };
  const reads = edks.map(read);
  const moved = async () => (await progress()).moved;
  await expect.poll(moved, { timeout: 60_000, interval: 250 }).toBeGreaterThan(30);

  // In the middle.
  away = true;
  const killed = await progress();
  process.kill(system.pid, "SIGKILL");
  await system.restart();
  const after = await progress();
  expect(after.moved).toBeGreaterThanOrEqual(killed.moved);
  expect(after.moved).toBeLessThan(all);
  away = false;

  await expect
    .poll(progress, { timeout: 300_000, interval: 500 })
    .toEqual({ master: successor, all, moved: all, failed: 0 });
  reading = false;
  await Promise.all(reads);
  expect(answers.failed).toEqual([]);
  expect(answers.read).toBeGreaterThan(READ * 10);
  const masters = readRows(system.edgeDir, "account_keys").map(({ master }) => master);
  expect(masters.length).toBeGreaterThan(ACCOUNTS);
  expect(new Set(masters)).toEqual(new Set([successor]));
  expect(await documentsAndKeys(seed)).toBe(stored);

  // The old key is needed for none of them.
  expect(await retireMasterKey(officer, "development")).toBe(replaced);
  officer.close();
  for (const edk of edks) expect((await load(edk)).status).toBe(200);
});

it("W12 a rotation is begun and watched by admins of the tenant; a refusal is in the audit log", async () => {
  const mallory = await EdgeClient.signedIn(system, "Mallory");
  for (const method of ["GET", "POST"])
    expect(problem(await mallory.rest(method, "/kms/rotation"))).toBe("403 forbidden");
  const told = () =>
    readRows(system.edgeDir, "links").filter(({ entry }) =>
      /"outcome":"deny".*"resource":"rotation"/.test(String(entry)),
    );
  await expect.poll(told, { timeout: 60_000, interval: 2000 }).toHaveLength(2);
});

it("W12 an account that comes later is on the list, and one that was shredded is on it no more", async () => {
  const { master, all } = json<RotationProgress>(await ann.rest("POST", "/kms/rotation"));
  expect(master).toBeDefined();
  await expect
    .poll(progress, { timeout: 60_000, interval: 500 })
    .toEqual({ master, all, moved: all, failed: 0 });
  await newAccount(ann);
  await expect
    .poll(progress, { timeout: 30_000 })
    .toEqual({ master, all: all + 1, moved: all + 1, failed: 0 });
});

it("W12 an account of which the list has still to hear is told to it before it is given a key", async () => {
  const account = await newAccount(ann);
  await expect.poll(() => listed(account)).toBe(1);
  const before = await progress();
  const later = (listed: string) =>
    `INSERT INTO outbox (addressee, message, due) SELECT 'listed', '${JSON.stringify({ listed })}', ${Date.now() + 3_600_000}`;
  const objects = join(system.edgeDir, "do");
  await system.restart(() => {
    const of = (source: string) => `FROM store_identity WHERE source = '${source}'`;
    const its = of(`iam/${account}`);
    expect(changeRows(objects, "account", `${later(account)} ${its}`)).toBe(1);
    changeRows(objects, "account_keys", `DELETE FROM account_keys WHERE EXISTS (SELECT 1 ${its})`);
    expect(changeRows(list(), "accounts", `DELETE FROM accounts WHERE id = '${account}'`)).toBe(1);
    expect(changeRows(objects, "roles", `${later(crypto.randomUUID())} ${of("iam")}`)).toBe(1);
  });
  expect(listed(account)).toBe(0);
  expect((await order(account)).status).toBe(201);
  await expect.poll(() => listed(account)).toBe(1);
  // One of an earlier release, of which the list has still to hear, counts as one that has not moved.
  const { all, moved } = await progress();
  expect({ all, moved }).toEqual({ all: before.all + 1, moved: before.moved });
});

const list = () => join(system.edgeDir, "do/coffer-KmsRotationObject");
const listed = (id: string) => readRows(list(), "accounts").filter((row) => row.id === id).length;
