import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import {
  endCustodian,
  insertInstance,
  instancesToRetire,
  listInstances,
  markRetired,
  nextRetirement,
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

function insert(id: string, jkt: string, notAfter: number): void {
  insertInstance(sql, {
    id,
    binding: { ...binding, jkt },
    method: "grant",
    tier: "software",
    level: "data",
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
  expect(nextRetirement(sql)).toBe(5000);
  endCustodian(sql, "j1", NOW);
  expect(states()).toEqual({ i1: "revoked", i2: "active" });
  expect(instancesToRetire(sql, NOW)).toEqual(["i1"]);
  // Due now, however long the certificate would have been valid: the HSM may have been away.
  expect(nextRetirement(sql)).toBe(0);
  endCustodian(sql, "j1", NOW);
  markRetired(sql, "i1", NOW);
  expect(instancesToRetire(sql, NOW)).toEqual([]);
  expect(nextRetirement(sql)).toBe(6000);
});

it("leaves what had run out before as it was", () => {
  endCustodian(sql, "j1", 5000);
  expect(states()).toEqual({ i1: "active", i2: "active" });
  expect(instancesToRetire(sql, 5000)).toEqual(["i1"]);
});
