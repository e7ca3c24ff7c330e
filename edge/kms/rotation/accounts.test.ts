import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import {
  addAccount,
  begin,
  dueAccounts,
  failed,
  moved,
  nextDue,
  progress,
  ROTATION_MIGRATIONS,
  removeAccount,
} from "./accounts.ts";

function listed(...accounts: string[]): SqlStorage {
  const sql = sqlStorage(ROTATION_MIGRATIONS);
  for (const account of accounts) addAccount(sql, account);
  return sql;
}

it("W12 nothing is looked at before a rotation was begun, and then each account until it has moved", () => {
  const sql = listed("a", "b", "a");
  expect(nextDue(sql)).toBeNull();
  expect(progress(sql)).toEqual({ master: null, all: 2, moved: 0, failed: 0 });
  begin(sql, "second", 1000);
  expect([dueAccounts(sql, 999, 8), dueAccounts(sql, 1000, 8), dueAccounts(sql, 1000, 1)]).toEqual([
    [],
    ["a", "b"],
    ["a"],
  ]);
  moved(sql, "a", "second");
  expect(dueAccounts(sql, 1000, 8)).toEqual(["b"]);
  expect(progress(sql)).toEqual({ master: "second", all: 2, moved: 1, failed: 0 });
  moved(sql, "b", "second");
  expect(nextDue(sql)).toBeNull();
});

it("W12 what has failed counts as not moved, waits longer each time, and is tried at once where it is asked for again", () => {
  const sql = listed("a", "b");
  begin(sql, "second", 0);
  moved(sql, "b", "second");
  failed(sql, "a", 10);
  expect(progress(sql)).toEqual({ master: "second", all: 2, moved: 1, failed: 1 });
  expect(nextDue(sql)).toBe(2010);
  failed(sql, "a", 2010);
  expect(nextDue(sql)).toBe(6010);
  for (let i = 0; i < 100; i++) failed(sql, "a", 0);
  expect(nextDue(sql)).toBe(60_000);
  begin(sql, "second", 500);
  expect(nextDue(sql)).toBe(0);
  expect(progress(sql)).toMatchObject({ moved: 1, failed: 0 });
});

it("W12 another rotation begins with all of them; an account that is gone is none of them", () => {
  const sql = listed("a", "b");
  begin(sql, "second", 0);
  for (const account of ["a", "b"]) moved(sql, account, "second");
  begin(sql, "third", 7000);
  expect(progress(sql)).toEqual({ master: "third", all: 2, moved: 0, failed: 0 });
  // Its key may have been made under the old one a moment ago.
  addAccount(sql, "c");
  expect(dueAccounts(sql, 6999, 8)).toEqual([]);
  removeAccount(sql, "b");
  expect(dueAccounts(sql, 7000, 8)).toEqual(["a", "c"]);
});
