import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { PACES, takeTurn } from "./pace.ts";

const NOW = 1_800_000_000;
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage([PACES]);
});
const turn = (now: number, user = "u", what = "a:b", perMinute = 7) =>
  takeTurn(sql, { what, user }, perMinute, now);
const rows = () => sql.exec<{ rows: number }>("SELECT count(*) AS rows FROM paces").one().rows;

it("lets so many through at once, and then one after the other, each user by itself", () => {
  for (let i = 0; i < 7; i++) expect(turn(NOW).ok).toBe(true);
  expect(turn(NOW)).toMatchObject({ problem: { code: "too-many-requests", retryAfter: 9 } });
  expect(turn(NOW, "other").ok).toBe(true);
  expect(turn(NOW, "u", "c:d").ok).toBe(true);
  // Asking again costs nothing.
  for (let i = 0; i < 50; i++) expect(turn(NOW + 8).ok).toBe(false);
  for (let i = 1; i < 15; i++) {
    expect(turn(NOW + 9 * i).ok).toBe(true);
    expect(turn(NOW + 9 * i).ok).toBe(false);
  }
  for (let i = 0; i < 7; i++) expect(turn(NOW + 1000).ok).toBe(true);
});

it("keeps nothing of those who have done nothing for a minute, and nobody out when the clock was set back", () => {
  for (let i = 0; i < 100; i++) turn(NOW, `u${i}`);
  expect(rows()).toBe(100);
  expect(turn(NOW + 61).ok).toBe(true);
  expect(rows()).toBe(1);
  for (let i = 0; i < 6; i++) turn(NOW + 61);
  for (let i = 0; i < 7; i++) expect(turn(NOW - 5000).ok).toBe(true);
  expect(turn(NOW - 5000)).toMatchObject({ problem: { retryAfter: 9 } });
  expect(turn(NOW - 4991).ok).toBe(true);
});

it("a refusal is one of those that are counted, since it can be had at will", () => {
  for (let i = 0; i < 7; i++) turn(NOW);
  expect(turn(NOW)).toMatchObject({ ok: false, bounded: true });
});
