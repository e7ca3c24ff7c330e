import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { PACES } from "../pace.ts";
import { takePairTurns } from "./pair-turns.ts";

const NOW = 1_800_000_000;
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage([PACES]);
});
const take = (count: number, { user = "u", now = NOW } = {}) => takePairTurns(sql, user, count, now);

it("M17 one user has ten RSA pairs a minute that sign, whatever the number in an order, and hears when there are more", () => {
  for (const count of [4, 4, 2]) expect(take(count).ok, String(count)).toBe(true);
  // A pair is six seconds of the user's minute.
  expect(take(1)).toMatchObject({ ok: false, problem: { code: "too-many-requests", retryAfter: 6 } });
  expect(take(4)).toMatchObject({ ok: false, problem: { code: "too-many-requests", retryAfter: 24 } });
  expect(take(4, { now: NOW + 23 }).ok).toBe(false);
  expect(take(4, { now: NOW + 24 }).ok).toBe(true);
  expect(take(1, { now: NOW + 24 }).ok).toBe(false);
});

it("M17 all users of a tenant have thirty RSA pairs a minute that sign", () => {
  for (const user of ["u1", "u2", "u3"])
    for (const count of [4, 4, 2]) expect(take(count, { user }).ok, user).toBe(true);
  expect(take(1, { user: "u4" })).toMatchObject({
    ok: false,
    problem: { code: "too-many-requests", retryAfter: 2 },
  });
  expect(take(1, { user: "u5", now: NOW + 2 }).ok).toBe(true);
  expect(take(1, { user: "u5", now: NOW + 2 }).ok).toBe(false);
});

it("M17 what is refused to one user takes nothing from the others of the tenant", () => {
  for (const count of [4, 4, 2]) take(count);
  for (let n = 0; n < 50; n++) expect(take(4).ok).toBe(false);
  for (const user of ["u2", "u3"])
    for (const count of [4, 4, 2]) expect(take(count, { user }).ok, user).toBe(true);
});
