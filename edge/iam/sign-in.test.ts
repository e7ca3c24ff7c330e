import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { hashSecret } from "../secret.ts";
import type { Store } from "../store.ts";
import { isSignedIn } from "./custodians.ts";
import { nextExpiry } from "./families.ts";
import { migrations } from "./schema.ts";
import { findSession, signedInApps, signInByName, signOut } from "./sign-in.ts";
import { sweep } from "./sweep.ts";

const NOW = 1000;
const CLIENT = "https://app.example";
let store: Store;
beforeEach(() => {
  store = {
    sql: sqlStorage(migrations),
    tenant: "acme",
    transaction: (closure) => closure(),
    record: () => {},
    recordBounded: () => {},
    flush: async () => {},
  };
});

/** Signs in and answers the hash of the new cookie. */
async function signIn(name: string, previous: string | null = null): Promise<string> {
  const allowed = { allowed: true, why: "a test" };
  const result = await signInByName(store, { name, previous, requestId: "r", now: NOW, allowed });
  if (!result.ok) throw new Error(result.problem.code);
  return hashSecret(result.value.cookie);
}

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
  [...store.sql.exec<{ jkt: string }>("SELECT message ->> 'jkt' AS jkt FROM outbox")].map(({ jkt }) => jkt);

it("ends with a session all that was issued in it, and nothing else", async () => {
  const [own, other] = [await signIn("Ada"), await signIn("Ada")];
  const [first, second, elsewhere] = [token(own, "j1"), token(own, "j2"), token(other, "j3")];
  expect([first(), second(), elsewhere()]).toEqual([true, true, true]);
  out(own);
  expect([first(), second(), elsewhere()]).toEqual([false, false, true]);
  expect(ended()).toEqual(["j1", "j2"]);
  expect(findSession(store, own, NOW)).toBeNull();
});

it("goes on under a new cookie when the same user signs in again, and sign-out ends all of it", async () => {
  const first = await signIn("Ada");
  const live = token(first, "j1");
  const second = await signIn("Ada", first);
  expect(live()).toBe(true);
  expect(findSession(store, first, NOW)).toBeNull();
  out(second);
  expect(live()).toBe(false);
  expect(ended()).toEqual(["j1"]);
});

it("ends when another user signs in in its place", async () => {
  const first = await signIn("Ada");
  const live = token(first, "j1");
  const second = await signIn("Bob", first);
  expect(live()).toBe(false);
  expect(ended()).toEqual(["j1"]);
  expect(findSession(store, second, NOW)).toMatchObject({ name: "Bob" });
});

it("B8 ends one app's sign-in alone, with codes that are still open, and the session goes on", async () => {
  const session = await signIn("Ada");
  const [first, again] = [token(session, "j1"), token(session, "j2")];
  const other = token(session, "j3", "https://other.example");
  for (const [hash, client] of [
    ["own", CLIENT],
    ["other", "https://other.example"],
  ]) {
    store.sql.exec(
      "INSERT INTO codes (hash, user, session, client, redirect_uri, challenge, jkt, expires) VALUES (?, 'u', ?, ?, '', '', '', 2000)",
      ...[hash, session, client],
    );
  }
  expect(signedInApps(store.sql, session, NOW)).toEqual([CLIENT, "https://other.example"]);
  out(session, CLIENT);
  expect([first(), again(), other()]).toEqual([false, false, true]);
  expect(ended()).toEqual(["j1", "j2"]);
  expect(findSession(store, session, NOW)).not.toBeNull();
  expect(signedInApps(store.sql, session, NOW)).toEqual(["https://other.example"]);
  const unused = [...store.sql.exec("SELECT hash FROM codes WHERE used IS NULL")];
  expect(unused).toEqual([{ hash: "other" }]);
  out(session);
  expect(other()).toBe(false);
});

it("B7 keeps its name over a new cookie of the same user, and no other session has it", async () => {
  const first = await signIn("Ada");
  const { id } = findSession(store, first, NOW)!;
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  const second = await signIn("Ada", first);
  expect(findSession(store, second, NOW)!.id).toBe(id);
  expect(findSession(store, await signIn("Ada"), NOW)!.id).not.toBe(id);
  expect(findSession(store, await signIn("Bob", second), NOW)!.id).not.toBe(id);
});

it("B9 tells of the keys of families that have run out, once, but for one that has signed in again", async () => {
  const session = await signIn("Ada");
  token(session, "j1", CLIENT, 2000);
  token(session, "j2", CLIENT, 2000);
  token(session, "j3", CLIENT, 3000);
  store.sql.exec("INSERT INTO families VALUES ('again', 'u', ?, ?, 'j2', 5000, NULL)", session, CLIENT);
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

it("B9 what an earlier release issued beyond its session ends with it after the upgrade", () => {
  const [before, ...later] = migrations;
  const sql = sqlStorage([before!]) as SqlStorage;
  sql.exec("INSERT INTO sessions VALUES ('s1', 'u', 2000)");
  for (const [id, session, expires] of [
    ["f1", "s1", 9000],
    ["f2", "s1", 1500],
    ["f3", "gone", 9000],
  ]) {
    sql.exec("INSERT INTO families VALUES (?, 'u', ?, 'c', ?, ?, NULL)", id, session, id, expires);
    sql.exec("INSERT INTO custodians VALUES (?, ?, 'u', 'c', 'CN', 'o', x'00', ?)", id, id, expires);
  }
  for (const migration of later)
    for (const statement of migration.split(/;\s*$/m)) if (statement.trim() !== "") sql.exec(statement);
  const ends = (table: string, column: string) =>
    [...sql.exec<{ at: number }>(`SELECT ${column} AS at FROM ${table} ORDER BY family`)].map(({ at }) => at);
  expect([...sql.exec("SELECT expires FROM families ORDER BY id")]).toEqual(
    [2000, 1500, 0].map((expires) => ({ expires })),
  );
  expect(ends("custodians", "not_after")).toEqual([2000, 1500, 0]);
  expect(sql.exec<{ id: string }>("SELECT id FROM sessions").one().id).toMatch(/^[0-9a-f]{32}$/);
});

it("is not found for another key, user, client or time", async () => {
  const { user } = findSession(store, await signIn("Ada"), NOW)!;
  token(await signIn("Ada"), "j1");
  const caller = { jkt: "j1", user, client: CLIENT };
  expect(isSignedIn(store.sql, caller, NOW)).toBe(true);
  expect(isSignedIn(store.sql, { ...caller, jkt: "j2" }, NOW)).toBe(false);
  expect(isSignedIn(store.sql, { ...caller, user: "u" }, NOW)).toBe(false);
  expect(isSignedIn(store.sql, { ...caller, client: "c" }, NOW)).toBe(false);
  expect(isSignedIn(store.sql, caller, 5000)).toBe(false);
});
