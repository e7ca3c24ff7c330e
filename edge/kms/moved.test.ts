import { expect, it } from "vitest";
import type { Edk } from "#protocol/keys/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { forgetAccount, insertMoved, type Moved, pageOf } from "./moved.ts";
import { insertDataKeys } from "./registry.ts";
import { MIGRATIONS, TENANT_MIGRATIONS } from "./schema.ts";

const earlier: SqlStorage = sqlStorage(TENANT_MIGRATIONS);
const own: SqlStorage = sqlStorage(MIGRATIONS);

function make(account: string, created: number, keyVersion = 1, keyId: string = crypto.randomUUID()): void {
  const edk: Partial<Edk> = {
    ...{ keyId, keyVersion, account, owner: "u", purpose: "document", created },
    ...{ accountKey: { id: "k", version: 1 }, policy: { operations: ["encrypt"] } },
  };
  insertDataKeys(earlier, "page", [edk as Edk]);
}
const rows = (sql: SqlStorage, account: string) => [
  ...sql.exec("SELECT * FROM data_keys WHERE account = ? ORDER BY id, version", account),
];

it("brings an account's data keys as they are, in pages, and no other account's", () => {
  // Many at the same time, and several versions of one.
  for (let i = 0; i < 1300; i++) make("a", 1000 + Math.floor(i / 700));
  for (let version = 1; version <= 9; version++) make("a", 1001, version, "one");
  make("b", 1000);
  earlier.exec("UPDATE data_keys SET state = 'disabled', expires = 5 WHERE id = 'one' AND version = 3");
  const before = rows(earlier, "a");
  const other = rows(earlier, "b");
  const take = () => {
    let [pages, after]: [number, string | null] = [0, null];
    do {
      const page: { rows: Moved[]; next: string | null } = pageOf(earlier, "a", after);
      for (const row of page.rows) insertMoved(own, row);
      after = page.next;
      pages++;
    } while (after !== null);
    return pages;
  };
  expect(take()).toBe(3);
  expect(rows(own, "a")).toEqual(before);
  // Again, as after a crash.
  take();
  expect(rows(own, "a")).toEqual(before);
  expect(rows(own, "b")).toEqual([]);
  while (!forgetAccount(earlier, "a"));
  expect([rows(earlier, "a"), rows(earlier, "b")]).toEqual([[], other]);
});
