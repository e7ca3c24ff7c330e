import { beforeEach, expect, it } from "vitest";
import type { Edk } from "#protocol/keys/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { DataKeyQuota } from "./quota.ts";
import { insertDataKeys } from "./registry.ts";
import { MIGRATIONS } from "./schema.ts";

const NOW = 1_800_000_000;
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
});

function make(account: string, count: number, created = NOW): void {
  const edks = Array.from({ length: count }, () => {
    const accountKey = { id: "k", version: 1 };
    const policy = { operations: ["encrypt"] };
    const key = { keyId: crypto.randomUUID(), keyVersion: 1, account, owner: "u", purpose: "document" };
    return { ...key, accountKey, created, policy } as unknown as Edk;
  });
  insertDataKeys(sql, "page", edks);
}

it("bounds the data keys of an account in an hour, and of no other account", () => {
  const quota = new DataKeyQuota("20");
  make("a1", 10);
  expect(quota.reserve(sql, "a1", 10, NOW).ok).toBe(true);
  quota.done("a1", 10, NOW);
  make("a1", 10);
  expect(quota.reserve(sql, "a1", 1, NOW)).toMatchObject({ problem: { code: "too-many-requests" } });
  expect(quota.reserve(sql, "a2", 16, NOW).ok).toBe(true);
  expect(quota.reserve(sql, "a1", 1, NOW + 3600).ok).toBe(true);
});

it("counts the keys that are being made", () => {
  const quota = new DataKeyQuota("20");
  expect(quota.reserve(sql, "a1", 16, NOW).ok).toBe(true);
  expect(quota.reserve(sql, "a1", 5, NOW).ok).toBe(false);
  quota.done("a1", 16, NOW);
  expect(quota.reserve(sql, "a1", 16, NOW).ok).toBe(true);
});

it("counts keys that the HSM took long to make, and those made after the clock was set back", () => {
  const quota = new DataKeyQuota("10");
  expect(quota.reserve(sql, "a1", 5, NOW).ok).toBe(true);
  // What is asked meanwhile reads the registry.
  expect(quota.reserve(sql, "a1", 6, NOW + 50).ok).toBe(false);
  make("a1", 5);
  quota.done("a1", 5, NOW);
  expect(quota.reserve(sql, "a1", 6, NOW + 51).ok).toBe(false);
  expect(quota.reserve(sql, "a1", 5, NOW + 51).ok).toBe(true);
  quota.done("a1", 5, NOW + 51);
  expect(quota.reserve(sql, "a1", 5, NOW + 300).ok).toBe(true);
  quota.done("a1", 5, NOW + 300);
  make("a1", 5, NOW + 100);
  expect(quota.reserve(sql, "a1", 1, NOW + 100).ok).toBe(false);
});

it("has a default that no honest user meets", () => {
  const quota = new DataKeyQuota(undefined);
  expect(quota.reserve(sql, "a1", 20_000, NOW).ok).toBe(true);
  expect(quota.reserve(sql, "a1", 1, NOW).ok).toBe(false);
});

it("does not begin with a bound that is mistyped", () => {
  for (const configured of ["", "0", "-1", "many", "20k"])
    expect(() => new DataKeyQuota(configured), configured).toThrow("COFFER_DATA_KEYS_PER_HOUR");
});
