import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { countReleases, keep } from "./key-management.ts";
import { findDataKey, findDataKeys } from "./registry.ts";
import { MIGRATIONS } from "./schema.ts";

const POLICY = { operations: ["decrypt"] };
const OTHER = { operations: ["encrypt"] };

function registry() {
  const sql: SqlStorage = sqlStorage(MIGRATIONS);
  const put = (id: string, version: number, state = "enabled", policy: object = POLICY) =>
    sql.exec(
      `INSERT INTO data_keys (id, version, account, client, owner, purpose, account_key, account_key_version, created, state, policy)
       VALUES (?, ?, 'a-1', 'page', 'ann', 'document', 'ak', 1, 0, ?, ?)`,
      ...[id, version, state, JSON.stringify(policy)],
    );
  return { sql, put };
}

it("finds several keys as it finds each, in the order in which they are asked for, and null for what is none", () => {
  const { sql, put } = registry();
  put("b", 1);
  put("a", 1, "disabled");
  put("a", 2, "enabled", OTHER);
  keep(sql, { id: "b", version: 1 }, "ends", 1_900_000_000);
  const asked = [
    { id: "b", version: 1 },
    { id: "none", version: 1 },
    { id: "a", version: 2 },
    { id: "b", version: 2 },
    { id: "a", version: 1 },
  ];
  const found = findDataKeys(sql, asked);
  expect(found).toEqual(asked.map(({ id, version }) => findDataKey(sql, id, version)));
  expect(found.map((record) => record && [record.state, record.ends, record.policy])).toEqual([
    ["enabled", 1_900_000_000, POLICY],
    null,
    ["enabled", null, OTHER],
    null,
    ["disabled", null, POLICY],
  ]);
  expect(findDataKeys(sql, [])).toEqual([]);
});

it("decides on none of several where the policy of one cannot be read", () => {
  const { sql, put } = registry();
  put("a", 1);
  put("b", 1, "enabled", { operations: "all" });
  const asked = ["a", "b"].map((id) => ({ id, version: 1 }));
  expect(() => findDataKeys(sql, asked)).toThrow("not a policy");
});

it("counts a release of each of several keys, and leaves what else is known of them", () => {
  const { sql, put } = registry();
  for (const id of ["a", "b", "c"]) put(id, 1);
  keep(sql, { id: "a", version: 1 }, "ends", 1_900_000_000);
  const of = (...ids: string[]) => ids.map((id) => ({ id, version: 1 }));
  countReleases(sql, of("a", "b"), 10);
  countReleases(sql, of("b"), 20);
  const known = sql.exec("SELECT id, version, ends, releases, last_released FROM key_management ORDER BY id");
  expect(known.toArray().map((row) => ({ ...row }))).toEqual([
    { id: "a", version: 1, ends: 1_900_000_000, releases: 1, last_released: 10 },
    { id: "b", version: 1, ends: null, releases: 2, last_released: 20 },
  ]);
});
