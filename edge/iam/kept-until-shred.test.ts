import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { readKept } from "../keeping.ts";
import { KEPT_UNTIL_SHRED, keepUntilShred, shredKept } from "./kept-until-shred.ts";

it("W11, W15 keeps no account key once the account is shredded, however often it is told", () => {
  const sql: SqlStorage = sqlStorage(KEPT_UNTIL_SHRED);
  const key = new Uint8Array(40).fill(7);
  expect(keepUntilShred(sql, "account-key/k-1/m-1", key)).toMatchObject({ ok: true });
  expect(readKept(sql, "account-key/k-1/m-1")).toEqual(key);
  for (const now of [1, 2]) {
    shredKept(sql, now);
    expect(readKept(sql, "account-key/k-1/m-1")).toBeNull();
    const late = keepUntilShred(sql, "account-key/k-1/m-2", key);
    expect(late).toMatchObject({ ok: false, problem: { code: "forbidden" } });
    expect(readKept(sql, "account-key/k-1/m-2")).toBeNull();
  }
});
