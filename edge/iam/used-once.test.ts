import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { USED_ONCE_TABLE, useOnce } from "./used-once.ts";

const NOW = 1_800_000_000;
const logout = (id: string, expires = NOW + 60) => ({ kind: "logout" as const, id, expires });

it("takes each once, by its kind, and forgets it when it would not be taken any more", () => {
  const sql = sqlStorage([USED_ONCE_TABLE]);
  expect(useOnce(sql, logout("a"), NOW)).toBe(true);
  expect(useOnce(sql, logout("a"), NOW + 59)).toBe(false);
  expect(useOnce(sql, { ...logout("a"), kind: "transaction" }, NOW)).toBe(true);
  expect(useOnce(sql, logout("b"), NOW + 60)).toBe(true);
  const { n } = sql.exec("SELECT count(*) AS n FROM used_once").one() as { n: number };
  expect(n).toBe(1);
});

it("keeps a bounded number of them, the newest", () => {
  const sql = sqlStorage([USED_ONCE_TABLE]);
  for (let number = 0; number < 2100; number++)
    expect(useOnce(sql, logout(String(number), NOW + 60 + number), NOW)).toBe(true);
  const { n } = sql.exec("SELECT count(*) AS n FROM used_once").one() as { n: number };
  expect(n).toBe(2000);
  expect(useOnce(sql, logout("2099", NOW + 9000), NOW)).toBe(false);
});
