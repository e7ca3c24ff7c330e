import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { endAccount } from "./ends.ts";
import { accountMigrations } from "./schema.ts";

it("W11, W15 tells the store of account keys of a shred, whether or not a row says that it has one", () => {
  const sql: SqlStorage = sqlStorage(accountMigrations);
  sql.exec("INSERT INTO account (id, name, created) VALUES ('a-1', 'Ann', 0)");
  expect(endAccount(sql, { requestId: "r-1", now: 1 }).ok).toBe(true);
  const told = sql.exec<{ message: string }>("SELECT message FROM outbox").toArray();
  expect(told.map(({ message }) => JSON.parse(message).to)).toContain("store");
});
