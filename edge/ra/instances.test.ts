import { beforeEach, expect, it } from "vitest";
import type { Level } from "#protocol/level.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import {
  type EndedInstance,
  endCustodian,
  insertInstance,
  instancesToRetire,
  listInstances,
  makeRoom,
  markRetired,
  nextRetirement,
  revokeInstance,
} from "./instances.ts";
import { MIGRATIONS } from "./schema.ts";

const NOW = 1000;
const binding = { user: "u", custodian: "CN=u", client: "c", jkt: "j1", origin: "https://app.example" };
let sql: SqlStorage;
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS) as SqlStorage;
  insert("i1", "j1", 5000);
  insert("i2", "j2", 6000);
});

function insert(id: string, jkt: string, notAfter: number, level: Level = "data"): void {
  insertInstance(sql, {
    id,
    binding: { ...binding, jkt },
    method: "grant",
    tier: "software",
    level,
    identityThumbprint: id,
    identityCertificateDigest: `${id} identity`,
    wrappingCertificateDigest: `${id} wrapping`,
    hsmKey: id,
    enrolled: NOW,
    notAfter,
  });
}
const states = () =>
  Object.fromEntries(listInstances(sql, binding, NOW).map(({ id, status }) => [id, status]));

it("ends what a key has, and asks the HSM for it until it has done so", () => {
  expect(nextRetirement(sql, NOW)).toBe(5000);
  endCustodian(sql, "j1", NOW);
  expect(states()).toEqual({ i1: "revoked", i2: "active" });
  expect(instancesToRetire(sql, NOW)).toEqual(["i1"]);
  // Due now, however long the certificate would have been valid: the HSM may have been away.
  expect(nextRetirement(sql, NOW)).toBe(0);
  endCustodian(sql, "j1", NOW);
  markRetired(sql, "i1", NOW);
  expect(instancesToRetire(sql, NOW)).toEqual([]);
  expect(nextRetirement(sql, NOW)).toBe(6000);
});

it("W12 tells the KMS of what was revoked, however it was, and of those alone for whom it keeps something", () => {
  const told = () =>
    sql
      .exec<{ addressee: string; message: string }>("SELECT addressee, message FROM outbox ORDER BY number")
      .toArray()
      .map(({ addressee, message }) => `${addressee} ${(JSON.parse(message) as EndedInstance).instance}`);
  for (const id of ["m1", "m2", "m3"]) insert(id, `j-${id}`, 5000, "master");
  endCustodian(sql, "j1", NOW);
  expect(told()).toEqual([]);
  endCustodian(sql, "j-m1", NOW);
  expect(revokeInstance(sql, "m2", binding, NOW).ok).toBe(true);
  expect(told()).toEqual(["kms/u m1", "kms/u m2"]);
  makeRoom(sql, "u", 1, NOW);
  expect(told()).toEqual(["kms/u m1", "kms/u m2", "kms/u m3"]);
});

it("leaves what had run out before as it was", () => {
  endCustodian(sql, "j1", 5000);
  expect(states()).toEqual({ i1: "active", i2: "active" });
  expect(instancesToRetire(sql, 5000)).toEqual(["i1"]);
});
