import { beforeEach, expect, it } from "vitest";
import { ownAccountId } from "#protocol/principal.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { hashSecret } from "../secret.ts";
import type { Store } from "../store.ts";
import { isSignedIn } from "./custodians.ts";
import { nextExpiry } from "./families.ts";
import { accountsOf, noteMembership } from "./memberships.ts";
import { principalMigrations } from "./schema.ts";
import { findSession, signedInApps, signIn, signOut } from "./sign-in.ts";
import { keepAppointments, standingOf } from "./standing.ts";
import { sweep } from "./sweep.ts";

const NOW = 1000;
const ADA = "a".repeat(32);
const BOB = "b".repeat(32);
const CLIENT = "https://app.example";
let store: Store;
beforeEach(() => {
  store = {
    sql: sqlStorage(principalMigrations),
    tenant: "acme",
    transaction: (closure) => closure(),
    record: () => {},
    recordBounded: () => {},
    flush: async () => {},
  };
});

/** Signs in, in place of a cookie, and answers the new one. */
async function enter(principal = ADA, previous: string | null = null): Promise<string> {
  const transaction = crypto.randomUUID();
  const by = { principal, name: "Ada", earlier: [], previous, transaction, requestId: "r", now: NOW };
  const result = await signIn(store, by);
  if (!result.ok) throw new Error(result.problem.code);
  return result.value.cookie;
}

it("what the provider says of groups is that of the last sign-in; what an admin says stays", async () => {
  const by = { principal: ADA, name: "Ada", earlier: [], previous: null, requestId: "r", now: NOW };
  const claims = { groups: ["staff", "board"], admin: "digest" };
  await signIn(store, { ...by, transaction: "1", claims });
  keepAppointments(store.sql, [
    { kind: "group", value: "staff", holds: true },
    { kind: "role", value: "auditor", holds: true },
  ]);
  const given = { roles: ["auditor"], groups: ["board", "staff"], admin: "digest" };
  expect(standingOf(store.sql)).toEqual(given);
  await signIn(store, { ...by, transaction: "2", claims: { groups: [], admin: null } });
  expect(standingOf(store.sql)).toEqual({ roles: ["auditor"], groups: ["staff"], admin: null });
});

/** The hash of a new cookie. */
const session = async () => hashSecret(await enter());

/** What a code of this session was exchanged into. */
function token(session: string, jkt: string, client = CLIENT, expires = 5000) {
  const { user } = findSession(store, session, NOW)!;
  store.sql.exec(
    "INSERT INTO families VALUES (?, ?, ?, ?, ?, ?, NULL)",
    ...[jkt, user, session, client, jkt, expires],
  );
  store.sql.exec(
    "INSERT INTO custodians VALUES (?, ?, ?, ?, 'CN', ?, x'00', ?)",
    ...[jkt, jkt, user, client, client, expires],
  );
  return () => isSignedIn(store.sql, { jkt, user, client }, NOW);
}
const out = (hash: string, client: string | null = null) =>
  signOut(store, { hash, client, requestId: "r", now: NOW });
const ended = () =>
  [
    ...store.sql.exec<{ jkt: string }>("SELECT message ->> 'jkt' AS jkt FROM outbox WHERE jkt IS NOT NULL"),
  ].map(({ jkt }) => jkt);
const toOthers = () =>
  [...store.sql.exec<{ addressee: string; message: string }>("SELECT addressee, message FROM outbox")].map(
    ({ addressee, message }) => [addressee, JSON.parse(message)],
  );

it("ends with a session all that was issued in it, and nothing else", async () => {
  const [own, other] = [await session(), await session()];
  const [first, second, elsewhere] = [token(own, "j1"), token(own, "j2"), token(other, "j3")];
  expect([first(), second(), elsewhere()]).toEqual([true, true, true]);
  out(own);
  expect([first(), second(), elsewhere()]).toEqual([false, false, true]);
  expect(ended()).toEqual(["j1", "j2"]);
  expect(findSession(store, own, NOW)).toBeNull();
});

it("goes on under a new cookie when the same user signs in again, and sign-out ends all of it", async () => {
  const cookie = await enter();
  const first = await hashSecret(cookie);
  const live = token(first, "j1");
  const second = await hashSecret(await enter(ADA, cookie));
  expect(live()).toBe(true);
  expect(findSession(store, first, NOW)).toBeNull();
  out(second);
  expect(live()).toBe(false);
  expect(ended()).toEqual(["j1"]);
});

it("tells another user's object of the session whose place it takes, and nobody of what names no principal", async () => {
  const cookie = `${BOB}.${"c".repeat(43)}`;
  await enter(ADA, cookie);
  await enter(ADA, "c".repeat(43));
  const told = toOthers().filter(([addressee]) => addressee.startsWith("principal/"));
  expect(told).toEqual([[`principal/${BOB}`, { session: await hashSecret(cookie), requestId: "r" }]]);
});

it("begins with an account of its own, once, and tells that account's object", async () => {
  await enter();
  await enter();
  const [account, ...more] = accountsOf(store.sql);
  expect(more).toEqual([]);
  expect(account!.id).toBe(await ownAccountId({ tenant: "acme", principal: ADA }));
  const founding = { account: account!.id, principal: ADA, name: "Ada", created: NOW, earlier: false };
  expect(toOthers()).toEqual([[`account/${account!.id}`, { ...founding, requestId: "r" }]]);
});

it("W11 tells the account's object in which app the account begins, which its first data key is for", async () => {
  const by = { principal: ADA, name: "Ada", earlier: [], previous: null, requestId: "r", now: NOW };
  await signIn(store, { ...by, app: "https://app.example", transaction: "t" });
  expect(toOthers()).toEqual([
    [expect.stringMatching(/^account\//), expect.objectContaining({ app: "https://app.example" })],
  ]);
  // Of an earlier release the keys that it has are there.
  expect(toOthers()[0]![1]).toMatchObject({ earlier: false });
});

it("an account that a colleague shares, older than one's own or not, comes behind it, and the others in their order", async () => {
  await enter();
  const own = await ownAccountId({ tenant: "acme", principal: ADA });
  const joined = ["m", "z", "a"];
  for (const [place, account] of [...joined, "m"].entries())
    noteMembership(store.sql, { account, name: "Cases", created: place === 0 ? NOW - 500 : NOW });
  expect(accountsOf(store.sql).map(({ id }) => id)).toEqual([own, ...joined]);
});

it("signs nobody in twice by one answer of the provider, and knows the newest name", async () => {
  const by = { principal: ADA, earlier: [], previous: null, requestId: "r", now: NOW };
  const first = await signIn(store, { ...by, name: "Ada", transaction: "t1" });
  expect(first.ok).toBe(true);
  expect(await signIn(store, { ...by, name: "Eve", transaction: "t1" })).toMatchObject({
    ok: false,
    problem: { code: "conflict" },
  });
  const second = await signIn(store, { ...by, name: "Ada Lovelace", transaction: "t2" });
  const session = second.ok && findSession(store, await hashSecret(second.value.cookie), NOW);
  expect(session).toMatchObject({ name: "Ada Lovelace" });
  sweep(store, NOW + 3600);
  expect([...store.sql.exec("SELECT id FROM used_sign_ins")]).toEqual([]);
});

it("begins with the accounts of an earlier release, where there are some", async () => {
  const earlier = [
    { account: "a1", name: "Ada", created: 1 },
    { account: "a2", name: "Both", created: 2 },
  ];
  const by = { principal: ADA, name: "Ada", previous: null, transaction: "t", requestId: "r", now: NOW };
  await signIn(store, { ...by, earlier });
  expect(accountsOf(store.sql)).toEqual([
    { id: "a1", name: "Ada" },
    { id: "a2", name: "Both" },
  ]);
  expect(toOthers().map(([addressee, { earlier }]) => [addressee, earlier])).toEqual([
    ["account/a1", true],
    ["account/a2", true],
  ]);
});

it("ends one app's sign-in alone, with codes that are still open, and the session goes on", async () => {
  const own = await session();
  const [first, again] = [token(own, "j1"), token(own, "j2")];
  const other = token(own, "j3", "https://other.example");
  for (const [hash, client] of [
    ["own", CLIENT],
    ["other", "https://other.example"],
  ]) {
    store.sql.exec(
      "INSERT INTO codes (hash, user, session, client, redirect_uri, challenge, jkt, expires) VALUES (?, 'u', ?, ?, '', '', '', 2000)",
      ...[hash, own, client],
    );
  }
  expect(signedInApps(store.sql, own, NOW)).toEqual([CLIENT, "https://other.example"]);
  out(own, CLIENT);
  expect([first(), again(), other()]).toEqual([false, false, true]);
  expect(ended()).toEqual(["j1", "j2"]);
  expect(findSession(store, own, NOW)).not.toBeNull();
  expect(signedInApps(store.sql, own, NOW)).toEqual(["https://other.example"]);
  const unused = [...store.sql.exec("SELECT hash FROM codes WHERE used IS NULL")];
  expect(unused).toEqual([{ hash: "other" }]);
  out(own);
  expect(other()).toBe(false);
});

it("keeps its name over a new cookie of the same user, and no other session has it", async () => {
  const cookie = await enter();
  const found = async (of: string) => findSession(store, await hashSecret(of), NOW)!;
  const { id } = await found(cookie);
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect((await found(await enter(ADA, cookie))).id).toBe(id);
  expect((await found(await enter())).id).not.toBe(id);
  expect((await found(await enter(ADA, `${BOB}.${"c".repeat(43)}`))).id).not.toBe(id);
});

it("tells of the keys of families that have run out, once, but for one that has signed in again", async () => {
  const own = await session();
  token(own, "j1", CLIENT, 2000);
  token(own, "j2", CLIENT, 2000);
  token(own, "j3", CLIENT, 3000);
  store.sql.exec("INSERT INTO families VALUES ('again', 'u', ?, ?, 'j2', 5000, NULL)", own, CLIENT);
  expect(nextExpiry(store.sql)).toBe(2000);
  sweep(store, 1999);
  expect(ended()).toEqual([]);
  sweep(store, 2000);
  expect(ended()).toEqual(["j1"]);
  expect(nextExpiry(store.sql)).toBe(3000);
  store.sql.exec("DELETE FROM outbox");
  sweep(store, 2000);
  expect(ended()).toEqual([]);
  sweep(store, 5000);
  expect(ended()).toEqual(["j2", "j3"]);
  expect(nextExpiry(store.sql)).toBeNull();
});

it("is not found for another key, user, client or time", async () => {
  const { user } = findSession(store, await session(), NOW)!;
  token(await session(), "j1");
  const caller = { jkt: "j1", user, client: CLIENT };
  expect(isSignedIn(store.sql, caller, NOW)).toBe(true);
  expect(isSignedIn(store.sql, { ...caller, jkt: "j2" }, NOW)).toBe(false);
  expect(isSignedIn(store.sql, { ...caller, user: "u" }, NOW)).toBe(false);
  expect(isSignedIn(store.sql, { ...caller, client: "c" }, NOW)).toBe(false);
  expect(isSignedIn(store.sql, caller, 5000)).toBe(false);
});
