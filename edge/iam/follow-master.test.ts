import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { fail, ok, type Result } from "../result.ts";
import type { Store } from "../store.ts";
import { followMaster, type MovedKey } from "./follow-master.ts";
import { accountMigrations } from "./schema.ts";

/** An account of a hundred keys under an earlier master key; the HSM moves those that `moves` says. */
function setup(
  moves: (id: string) => boolean,
  away: ProblemOf = "hsm-refused",
  meanwhile: (sql: SqlStorage) => void = () => {},
) {
  const sql: SqlStorage = sqlStorage([
    "CREATE TABLE store_identity (source TEXT); INSERT INTO store_identity VALUES ('iam/a-1');",
    ...accountMigrations,
  ]);
  for (let version = 1; version <= 100; version++)
    sql.exec(
      "INSERT INTO account_keys (id, version, wrapped, master, created) VALUES (?, ?, ?, 'm-1', 0)",
      ...[`k-${version}`, version, new Uint8Array([1]).buffer],
    );
  let asked = 0;
  const kept = new Set<string>();
  const KMS = {
    currentMasterKey: async () => ok("m-2"),
    async moveAccountKeys({ keys }: { keys: MovedKey[] }): Promise<Result<MovedKey[]>> {
      asked++;
      meanwhile(sql);
      const moved = keys.filter(({ id }) => moves(id)).map((key) => ({ ...key, master: "m-2" }));
      return moved.length > 0 ? ok(moved) : fail(away);
    },
  };
  const places = {
    whole: async <K>(key: K) => ok(key),
    async put<K extends MovedKey>(key: K) {
      kept.add(`${key.id} ${key.master}`);
      return ok(key);
    },
    async forget({ id, master }: { id: string; master: string }) {
      kept.delete(`${id} ${master}`);
    },
  };
  const under = (master: string) =>
    sql.exec<{ count: number }>("SELECT count(*) AS count FROM account_keys WHERE master = ?", master).one()
      .count;
  const follow = () => followMaster({ sql, tenant: "t" } as Store, { KMS, places }, "r-1");
  return { follow, under, kept, asked: () => asked };
}
type ProblemOf = Parameters<typeof fail>[0];

it("W12 moves all keys of an account under the successor of its master key", async () => {
  const { follow, under } = setup(() => true);
  expect(await follow()).toEqual(ok({ master: "m-2", left: 0 }));
  expect([under("m-1"), under("m-2")]).toEqual([0, 100]);
});

it("W12 moves those that can be moved, however many others there are, and counts what is left", async () => {
  const { follow, under } = setup((id) => id === "k-2" || id === "k-50");
  expect(await follow()).toEqual(ok({ master: "m-2", left: 98 }));
  expect([under("m-1"), under("m-2")]).toEqual([98, 2]);
});

it("W12 asks an HSM that is away once, and moves nothing", async () => {
  const { follow, under, asked } = setup(() => false, "hsm-unavailable");
  expect(await follow()).toEqual(fail("hsm-unavailable"));
  expect([asked(), under("m-1")]).toEqual([1, 100]);
});

it("W11, W12 leaves no key behind where the account is shredded while the KMS is waited for", async () => {
  const { follow, kept, under } = setup(
    () => true,
    "hsm-refused",
    (sql) => sql.exec("DELETE FROM account_keys"),
  );
  expect((await follow()).ok).toBe(true);
  expect([under("m-1"), under("m-2"), kept.size]).toEqual([0, 0, 0]);
});
