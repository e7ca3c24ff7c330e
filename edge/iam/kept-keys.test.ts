import { expect, it } from "vitest";
import { digest } from "#protocol/digest.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { fail, ok } from "../result.ts";
import type { Store } from "../store.ts";
import { isKeptAccountKey, rotatedAccountKey } from "./account-keys.ts";
import { KeptKeys } from "./kept-keys.ts";
import { accountMigrations } from "./schema.ts";

const bytes = (fill: number) => new Uint8Array(40).fill(fill);

function setUp(place = "datastore") {
  const sql = sqlStorage(accountMigrations);
  const rows: { action: string; reason?: string; outcome: string }[] = [];
  const record = (row: (typeof rows)[number]) => void rows.push(row);
  const transaction = <T>(work: () => T) => work();
  const store = { sql, tenant: "t", transaction, record, recordBounded: record } as unknown as Store;
  const there = new Map<string, Uint8Array<ArrayBuffer>>();
  const DATASTORE_FOR_IAM = {
    keep: async ({ name, value }: { name: string; value: Uint8Array<ArrayBuffer> }) => {
      there.set(name, value);
      return ok(null);
    },
    kept: async ({ name }: { name: string }) => ok(there.get(name) ?? null),
  };
  const env = { COFFER_ACCOUNT_KEYS: place, DATASTORE_FOR_IAM } as unknown as Env;
  sql.exec("INSERT INTO account (id, name, created) VALUES ('a', 'a', 0)");
  return { sql, rows, there, keys: new KeptKeys(env, store, { tenant: "t", account: "a" }) };
}

async function keep({ sql, keys }: ReturnType<typeof setUp>, id: string, fill: number) {
  const put = await keys.put({ id, wrapped: bytes(fill), publicKey: null, master: "m" }, "r");
  if (!put.ok) throw new Error(put.problem.code);
  rotatedAccountKey(sql, put.value);
}

it("W11 W15 whoever keeps Enc(account) brings no older one back: it is refused, and recorded", async () => {
  const set = setUp();
  await keep(set, "k-1", 1);
  await keep(set, "k-2", 2);
  const { keys, rows, there } = set;
  const second = { id: "k-2", wrapped: new Uint8Array(), master: "m" };
  expect(await keys.whole(second, "r")).toEqual(ok({ ...second, wrapped: bytes(2) }));
  there.set("account-key/k-2/m", bytes(1));
  expect(await keys.whole(second, "r")).toEqual(fail("not-found"));
  const reason = "datastore gave another account key than it was given";
  expect(rows).toMatchObject([{ action: "iam:account-key-from-store", outcome: "deny", reason }]);
});

it.each(["iam", "datastore"])(
  "W11 knows every key that was kept, at %s, and none that came to nothing",
  async (place) => {
    const set = setUp(place);
    const known = async (fill: number) =>
      isKeptAccountKey(set.sql, { wrapped: bytes(fill), digest: await digest(bytes(fill)) });
    await keep(set, "k-1", 1);
    await keep(set, "k-2", 2);
    await set.keys.put({ id: "k-3", wrapped: bytes(3), master: "m" }, "r");
    expect(await Promise.all([1, 2, 3, 4].map(known))).toEqual([true, true, false, false]);
  },
);

it("W15 takes what an earlier release has put, and nothing else from then on", async () => {
  const set = setUp();
  await keep(set, "k-1", 1);
  set.sql.exec("DELETE FROM account_key_digests");
  const first = { id: "k-1", wrapped: new Uint8Array(), master: "m" };
  expect((await set.keys.whole(first, "r")).ok).toBe(true);
  set.there.set("account-key/k-1/m", bytes(9));
  expect((await set.keys.whole(first, "r")).ok).toBe(false);
});
