import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/sql-storage.ts";
import { hashSecret } from "../secret.ts";
import type { Store } from "../store.ts";
import { isSignedIn } from "./custodians.ts";
import { migrations } from "./schema.ts";
import { findSession, signInByName, signOut } from "./sign-in.ts";

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
function token(session: string, jkt: string) {
  const { user } = findSession(store, session, NOW)!;
  store.sql.exec("INSERT INTO families VALUES (?, ?, ?, ?, ?, 5000, NULL)", jkt, user, session, CLIENT, jkt);
  store.sql.exec(
    "INSERT INTO custodians VALUES (?, ?, ?, ?, 'CN', ?, x'00', 5000)",
    ...[jkt, jkt, user, CLIENT, CLIENT],
  );
  return () => isSignedIn(store.sql, { jkt, user, client: CLIENT }, NOW);
}
const ended = () => [...store.sql.exec<{ jkt: string }>("SELECT jkt FROM ended")].map(({ jkt }) => jkt);

it("ends with a session all that was issued in it, and nothing else", async () => {
  const [own, other] = [await signIn("Ada"), await signIn("Ada")];
  const [first, second, elsewhere] = [token(own, "j1"), token(own, "j2"), token(other, "j3")];
  expect([first(), second(), elsewhere()]).toEqual([true, true, true]);
  signOut(store, own, "r", NOW);
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
  signOut(store, second, "r", NOW);
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
