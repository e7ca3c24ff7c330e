import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { endCustodian, insertInstance, nextRetirement, revokeInstance } from "./instances.ts";
import { replaceBy } from "./renewal.ts";
import { anyList, distributionPoint, FIRST_LIST, markListed, unlisted } from "./revocations.ts";
import { MIGRATIONS } from "./schema.ts";

const NOW = 1000;
const END = 50_000;
const binding = { user: "u", custodian: "CN=u", client: "c", jkt: "j", origin: "https://app.example" };
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
  insert("i1");
});

function insert(id: string, line = id, serials: string[] = [`${id}a`, `${id}b`], list?: number): void {
  insertInstance(sql, {
    ...{ id, binding, method: "grant", tier: "software", level: "data", line, serials, list },
    identityThumbprint: id,
    identityCertificateDigest: `${id} identity`,
    wrappingCertificateDigest: `${id} wrapping`,
    hsmKey: id,
    enrolled: NOW,
    notAfter: END,
  });
}

it("M20 tells of both certificates of an instance that was revoked, once, with the end that stands in them", () => {
  expect(unlisted(sql, NOW)).toEqual([]);
  revokeInstance(sql, "i1", binding, NOW + 5);
  const told = unlisted(sql, NOW + 5);
  expect(told).toEqual([
    { id: "i1", list: FIRST_LIST, serials: ["i1a", "i1b"], at: NOW + 5, reason: 9, expires: END },
  ]);
  expect(nextRetirement(sql, NOW + 5), "the alarm comes for what was not told").toBe(0);
  markListed(sql, told);
  expect(unlisted(sql, NOW + 5)).toEqual([]);
  revokeInstance(sql, "i1", binding, NOW + 50);
  endCustodian(sql, "j", NOW + 60);
  expect(unlisted(sql, NOW + 60), "it had ended before").toEqual([]);
});

it("M20 one that is renewed ends when what is under way is over, and at once where it is revoked meanwhile", () => {
  expect(replaceBy(sql, "i1", NOW)).toBe(true);
  const told = unlisted(sql, NOW);
  expect(told).toMatchObject([{ at: NOW + 600, reason: 4, expires: END }]);
  markListed(sql, told);
  insert("i2", "i1");
  revokeInstance(sql, "i2", binding, NOW + 7);
  expect(unlisted(sql, NOW + 7)).toMatchObject([
    { id: "i1", at: NOW + 7, reason: 9, expires: END },
    { id: "i2", at: NOW + 7, reason: 9 },
  ]);
  markListed(sql, told);
  expect(unlisted(sql, NOW + 7), "what was told is not what is so now").toHaveLength(2);
});

it("tells nothing of what has expired, or of certificates whose numbers are not known", () => {
  revokeInstance(sql, "i1", binding, NOW);
  expect(unlisted(sql, END)).toEqual([]);
  insert("i3", "i3", []);
  revokeInstance(sql, "i3", binding, NOW);
  expect(unlisted(sql, NOW).map(({ id }) => id)).toEqual(["i1"]);
});

it("M20 tells which list an instance's certificates name: one of many, or that of an earlier release", () => {
  insert("i4", "i4", ["a0f3", "b1f3"], 0xf3);
  for (const id of ["i1", "i4"]) revokeInstance(sql, id, binding, NOW);
  expect(unlisted(sql, NOW)).toMatchObject([
    { id: "i1", list: FIRST_LIST },
    { id: "i4", list: 243, serials: ["a0f3", "b1f3"] },
  ]);
  const named = [FIRST_LIST, 0, 243].map((list) => distributionPoint("https://vault.example", list));
  expect(named).toEqual(["", "/0", "/243"].map((path) => `https://vault.example/ra/revocations${path}`));
  const lists = new Set(Array.from({ length: 20_000 }, anyList));
  expect([lists.size, Math.min(...lists), Math.max(...lists)]).toEqual([256, 0, 255]);
});
