import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Caller } from "../caller.ts";
import {
  boundUnexpired,
  findRecipient,
  insertInstance,
  makeRoom,
  noteUse,
  revokeInstance,
} from "./instances.ts";
import { grantMethod, makeGrant, storeGrant } from "./methods/grant.ts";
import { MIGRATIONS } from "./schema.ts";
import { consumeSession, openSession } from "./session.ts";
import type { Applicant } from "./types.ts";

const NOW = 1_800_000_000;
const USER = "u".repeat(32);
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
});

function enrol(id: string, enrolled: number, user = "u"): void {
  insertInstance(sql, {
    id,
    binding: { user, custodian: "CN=u", client: "app", jkt: `k-${id}`, origin: "https://app.example" },
    method: "grant",
    tier: "software",
    level: "data",
    identityThumbprint: `t-${id}`,
    identityCertificateDigest: `i-${id}`,
    wrappingCertificateDigest: `w-${id}`,
    hsmKey: `h-${id}`,
    enrolled,
    notAfter: enrolled + 86_400,
  });
}
const active = (user = "u") =>
  [...sql.exec<{ id: string }>("SELECT id FROM instances WHERE user = ? AND status = 'active'", user)].map(
    ({ id }) => id,
  );

it("one instance too many takes the place of the idlest, however many are enrolled", () => {
  enrol("of-another", NOW - 9000, "u2");
  enrol("device", NOW - 5000);
  for (let i = 0; i < 60; i++) {
    // The device works all the time; the others were enrolled and left.
    noteUse(sql, "w-device", NOW + i * 61);
    makeRoom(sql, "u", 8, NOW + i);
    enrol(`n${i}`, NOW + i);
    expect(active().length).toBeLessThanOrEqual(8);
  }
  expect(active()).toContain("device");
  expect(active()).toContain("n59");
  expect(active()).not.toContain("n0");
  expect(active("u2")).toEqual(["of-another"]);
  expect(findRecipient(sql, { user: "u", thumbprint: "w-n0" }, NOW)).toMatchObject({ status: "revoked" });
});

it("counts those that live, and notes a use now and then", () => {
  for (let i = 0; i < 8; i++) enrol(`old${i}`, NOW - 90_000);
  expect(makeRoom(sql, "u", 2, NOW)).toEqual([]);
  enrol("a", NOW);
  noteUse(sql, "w-a", NOW + 10);
  noteUse(sql, "w-a", NOW + 20);
  const used = () => sql.exec<{ used: number }>("SELECT used FROM instances WHERE id = 'a'").one().used;
  expect(used()).toBe(NOW + 10);
  noteUse(sql, "w-a", NOW + 70);
  expect(used()).toBe(NOW + 70);
});

it("bounds the enrolments that a user begins in a minute, used or not, by any key, and says when to come again", async () => {
  const grant = async (now: number, user = USER) => {
    const caller = { user, custodian: "CN=u", client: "c", jkt: crypto.randomUUID(), origin: "o" };
    const stored = storeGrant(sql, caller as unknown as Caller, await makeGrant(user, now), now, 20);
    sql.exec("UPDATE grants SET used = 1");
    return stored;
  };
  for (let i = 0; i < 20; i++) expect((await grant(NOW + i)).ok).toBe(true);
  expect(await grant(NOW + 20)).toMatchObject({ problem: { code: "too-many-requests", retryAfter: 40 } });
  expect((await grant(NOW + 20, "w".repeat(32))).ok).toBe(true);
  expect((await grant(NOW + 60)).ok).toBe(true);
});

it("keeps nobody out for grants that nobody redeemed: the oldest of the same app ends, and of no other", async () => {
  const by = { user: USER } as Applicant;
  const grant = async (client: string, now: number) => {
    const caller = { user: USER, custodian: "CN=u", client, jkt: "k", origin: "o" } as unknown as Caller;
    const made = await makeGrant(USER, NOW);
    expect(storeGrant(sql, caller, { ...made, expires: now + 60 }, now, 100).ok).toBe(true);
    return (await grantMethod.prepare(made.grant))!;
  };
  type Credential = Awaited<ReturnType<typeof grant>>;
  const consume = (credential: Credential) => credential.consume(sql, by, NOW + 30).ok;
  const honest = await grant("honest", NOW);
  const greedy: Credential[] = [];
  for (let i = 0; i < 40; i++) greedy.push(await grant("greedy", NOW + 1 + (i >> 2)));
  expect(consume(honest)).toBe(true);
  expect(consume(greedy[0]!)).toBe(false);
  expect(consume(greedy.at(-1)!)).toBe(true);
  // What was ended counts on: asking without end is not free.
  const caller = { user: USER, client: "greedy" } as unknown as Caller;
  expect(storeGrant(sql, caller, await makeGrant(USER, NOW + 30), NOW + 30, 41)).toMatchObject({
    problem: { code: "too-many-requests" },
  });
});

it("keeps nobody out for enrolment sessions that were left: the used and the oldest end, of this user alone", () => {
  const by = (user: string) => ({ user }) as Applicant;
  const open = (user: string, now: number) => {
    const session = openSession(sql, by(user), now, 32);
    if (!session.ok) throw new Error("refused");
    return session.value.id;
  };
  const other = open("u2", NOW);
  const first = open("u", NOW);
  const second = open("u", NOW + 1);
  for (let i = 0; i < 200; i++) consumeSession(sql, open("u", NOW + 2), by("u"), NOW + 2);
  // Used ones have given their places.
  expect(consumeSession(sql, second, by("u"), NOW + 2).ok).toBe(true);
  for (let i = 0; i < 200; i++) open("u", NOW + 3);
  expect(consumeSession(sql, first, by("u"), NOW + 3).ok).toBe(false);
  expect(consumeSession(sql, open("u", NOW + 3), by("u"), NOW + 3).ok).toBe(true);
  expect(consumeSession(sql, other, by("u2"), NOW + 3).ok).toBe(true);
  const { rows } = sql
    .exec<{ rows: number }>("SELECT count(*) AS rows FROM enrolments WHERE user = 'u'")
    .one();
  expect(rows).toBeLessThanOrEqual(64);
});

it("bounds the instances of a user whose certificates have not expired, however they ended, and says when one may come again", () => {
  const bound = (user: string, now: number, underWay = 0) =>
    boundUnexpired(sql, { user, max: 4, underWay }, now);
  for (let i = 0; i < 4; i++) {
    expect(bound("u", NOW + i)).toEqual({ ok: true, value: null });
    makeRoom(sql, "u", 2, NOW + i);
    enrol(`n${i}`, NOW + i);
  }
  expect(revokeInstance(sql, "n3", { user: "u", client: "app" }, NOW + 4).ok).toBe(true);
  expect(active()).toEqual(["n2"]);
  expect(bound("u", NOW + 4)).toMatchObject({
    problem: { code: "too-many-requests", retryAfter: 86_400 - 4 },
    bounded: true,
  });
  expect(bound("another", NOW + 4).ok).toBe(true);
  expect(bound("u", NOW + 86_400).ok).toBe(true);
  expect(bound("u", NOW + 86_400, 1).ok, "one is under way").toBe(false);
});
