import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { migrations, Proofs } from "./proofs.ts";

const NOW = 1_800_000_000;

it("bounds a user's requests, says when to come again, and stores nothing of what is too much", () => {
  const sql: SqlStorage = sqlStorage(migrations);
  let proofs = new Proofs(sql);
  const use = (jti: string, now: number) => proofs.use({ jti, expires: NOW + 600 }, { limit: 5, now });
  const stored = () => sql.exec<{ n: number }>("SELECT count(*) AS n FROM proofs").one().n;
  for (let i = 0; i < 5; i++) expect(use(`a${i}`, NOW + i)).toMatchObject({ ok: true });
  for (let i = 0; i < 100; i++)
    expect(use(`b${i}`, NOW + 5)).toMatchObject({
      problem: { code: "too-many-requests", retryAfter: 5 },
      bounded: true,
    });
  expect(stored()).toBe(5);
  // It is no other after the object was evicted.
  proofs = new Proofs(sql);
  expect(use("e", NOW + 5)).toMatchObject({ problem: { code: "too-many-requests", retryAfter: 5 } });
  // One has left the window, so one may come.
  expect(use("c", NOW + 10).ok).toBe(true);
  expect(use("d", NOW + 10)).toMatchObject({ problem: { retryAfter: 1 } });
  expect(use("d", NOW + 30).ok).toBe(true);
  expect(use("d", NOW + 31)).toMatchObject({ problem: { code: "invalid-proof" } });
});
