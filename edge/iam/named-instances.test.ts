import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { dropNamed, isNamed, keepNamed } from "./named-instances.ts";
import { principalMigrations } from "./schema.ts";

const NOW = 1_800_000_000;
const of = (id: string, jkt = "custodian") => ({ id, jkt, client: "page", identityKey: `key of ${id}` });
const kept = (id: string, jkt?: string, notAfter = NOW + 600) => ({ ...of(id, jkt), notAfter });

it("W9 keeps so many instances of one custodian, the newest, and none of another's goes for them", () => {
  const sql = sqlStorage(principalMigrations);
  keepNamed(sql, kept("0", "another"), NOW);
  for (let number = 0; number < 70; number++) keepNamed(sql, kept(String(number)), NOW + number);
  const alive = Array.from({ length: 70 }, (_, number) => isNamed(sql, of(String(number)), NOW + 100));
  expect(alive.filter(Boolean)).toHaveLength(64);
  expect(alive.indexOf(true)).toBe(6);
  expect(isNamed(sql, of("0", "another"), NOW + 100)).toBe(true);
});

it("W9 knows an instance until its certificate ends, by its key, custodian and app together", () => {
  const sql = sqlStorage(principalMigrations);
  keepNamed(sql, kept("one"), NOW);
  expect(isNamed(sql, of("one"), NOW + 599)).toBe(true);
  expect(isNamed(sql, of("one"), NOW + 600)).toBe(false);
  for (const change of [{ id: "two" }, { jkt: "x" }, { client: "x" }, { identityKey: "x" }])
    expect(isNamed(sql, { ...of("one"), ...change }, NOW), JSON.stringify(change)).toBe(false);
  dropNamed(sql, { id: "one", client: "another app" });
  expect(isNamed(sql, of("one"), NOW)).toBe(true);
  dropNamed(sql, { id: "one", client: "page" });
  expect(isNamed(sql, of("one"), NOW)).toBe(false);
});
