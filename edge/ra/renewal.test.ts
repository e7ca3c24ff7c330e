import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { ok, refuseForNow } from "../result.ts";
import { insertInstance, type NewInstance, revokeInstance } from "./instances.ts";
import { keepAnswer, replaceBy, type Shown, takeRenewal } from "./renewal.ts";
import { MIGRATIONS } from "./schema.ts";
import type { Enrolment } from "./types.ts";

const NOW = 1_800_000_000;
const DAY = 24 * 3600;
const binding = { user: "ann", custodian: "CN=ann", client: "c", jkt: "k", origin: "https://app.example" };
const shown = (n = 1) =>
  ({
    ...{ identityCertificate: `identity-${n}`, wrappingCertificate: `wrapping-${n}` },
    hybridCertificates: null,
  }) as Shown;

let sql: SqlStorage;
const insert = (n: number, of: Partial<NewInstance> = {}) =>
  insertInstance(sql, {
    ...{ id: `i-${n}`, binding, method: "grant", tier: "software", level: "data", hsmKey: `${n}` },
    ...{ identityThumbprint: "t", identityCertificateDigest: `identity-${n}` },
    ...{ wrappingCertificateDigest: `wrapping-${n}`, enrolled: NOW, notAfter: NOW + DAY, serials: [] },
    ...of,
  });
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
  turns = 0;
  insert(1);
});
let turns: number;
const take = (now: number, of = shown(), more: Partial<Parameters<typeof takeRenewal>[2]> = {}) =>
  takeRenewal(sql, of, {
    ...{ now, attestedSeconds: 7 * DAY, level: "data", isUnderWay: () => false },
    turn() {
      turns++;
      return ok(null);
    },
    ...more,
  });
const refused = (decision: ReturnType<typeof take>) => (decision.ok ? null : decision.reason);

it("M20 certificates are renewed in the second half of their life, and once more where that has made nothing", () => {
  expect(refused(take(NOW + DAY / 2 - 1))).toBe("renewed too early");
  expect(refused(take(NOW + DAY))).toBe("instance has expired");
  expect(take(NOW + DAY / 2)).toMatchObject({ ok: true, value: { id: "i-1", line: "i-1", attested: null } });
  expect(take(NOW + DAY / 2, shown(), { isUnderWay: () => true })).toEqual(ok({ underWay: "i-1" }));
  expect(take(NOW + DAY - 1), "one that was cut off").toMatchObject({ ok: true, value: { id: "i-1" } });
});

it("M12 M20 a renewal carries over the registers that evidence has shown, and has none where none was", () => {
  expect(take(NOW + DAY / 2)).toMatchObject({ value: { registers: null } });
  const registers = { 0: "ab".repeat(48) };
  insert(3, { method: "attestation", tier: "emulated", attested: NOW, registers });
  expect(take(NOW + DAY / 2, shown(3))).toMatchObject({ value: { registers, tier: "emulated" } });
});

it("M20 a renewal is answered again while what it made lives, beyond the certificates that it replaced", () => {
  insert(2, { line: "i-1", notAfter: NOW + 2 * DAY });
  const answer = { instance: "i-2", notAfter: NOW + 2 * DAY } as Enrolment;
  keepAnswer(sql, "i-1", answer, NOW);
  replaceBy(sql, "i-1", NOW);
  for (const at of [NOW + 1, NOW + DAY, NOW + 2 * DAY - 1]) expect(take(at)).toEqual(ok({ again: answer }));
  expect(turns).toBe(3);
  expect(refused(take(NOW + 2 * DAY))).toBe("instance has expired");
  sql.exec("UPDATE instances SET status = 'revoked' WHERE id = 'i-2'");
  expect(refused(take(NOW + DAY))).toBe("instance has expired");
  revokeInstance(sql, "i-1", binding, NOW);
  expect(refused(take(NOW + 1))).toBe("instance is revoked");
});

it("M20 both certificates have to be of one instance that lives", () => {
  insert(2);
  const mixed = { ...shown(1), wrappingCertificate: "wrapping-2" };
  expect(refused(take(NOW + DAY / 2, mixed))).toBe("no instance has these certificates");
  expect(revokeInstance(sql, "i-1", binding, NOW).ok).toBe(true);
  expect(refused(take(NOW + DAY / 2))).toBe("instance is revoked");
});

it("M20 those of a hybrid recipient have to be there, and of this instance", () => {
  insert(5, { hybrid: { key: "kem-5", certificates: "agreement-5,kem-5" } });
  const hybrid = (hybridCertificates: string | null, n = 5) => ({ ...shown(n), hybridCertificates });
  for (const other of [
    hybrid(null),
    hybrid("agreement-6,kem-6"),
    hybrid("kem-5,agreement-5"),
    hybrid("a,k", 1),
  ])
    expect(refused(take(NOW + DAY / 2, other))).toBe("no instance has these certificates");
  expect(take(NOW + DAY / 2, hybrid("agreement-5,kem-5")).ok).toBe(true);
});

it("M1 an instance that has shown evidence is renewed for as long as that counts, and no longer", () => {
  insert(3, { method: "attestation", attested: NOW - 7 * DAY + DAY / 2 });
  expect(refused(take(NOW + DAY / 2, shown(3)))).toBe("the evidence is too old");
  insert(4, { method: "attestation", attested: NOW - 6 * DAY });
  expect(take(NOW + DAY / 2, shown(4))).toMatchObject({ ok: true, value: { attested: NOW - 6 * DAY } });
});

it("W12 a revocation ends what an instance was renewed by, and nothing else", () => {
  insert(2, { line: "i-1" });
  insert(3);
  revokeInstance(sql, "i-1", binding, NOW);
  const status = sql.exec<{ status: string }>("SELECT status FROM instances ORDER BY id").toArray();
  expect(status.map(({ status }) => status)).toEqual(["revoked", "revoked", "active"]);
});

it("M20 one that ended while it was renewed is replaced by nothing", () => {
  expect(replaceBy(sql, "i-1", NOW)).toBe(true);
  const { end } = sql.exec<{ end: number }>("SELECT not_after AS end FROM instances").one();
  expect(end).toBe(NOW + 600);
  revokeInstance(sql, "i-1", binding, NOW);
  expect(replaceBy(sql, "i-1", NOW)).toBe(false);
});

it("M20 takes a turn for what may be renewed alone, and renews nothing without one", () => {
  insert(2, { level: "master" });
  insert(3);
  revokeInstance(sql, "i-3", binding, NOW);
  for (const [now, of] of [
    [NOW, shown(1)],
    [NOW + DAY, shown(1)],
    [NOW + DAY / 2, shown(2)],
    [NOW + DAY / 2, shown(3)],
    [NOW + DAY / 2, shown(4)],
  ] as const)
    expect(take(now, of)).toMatchObject({ ok: false, bounded: true });
  expect(turns).toBe(0);
  const turn = () => refuseForNow("too many", 1);
  expect(take(NOW + DAY / 2, shown(1), { turn })).toMatchObject({ problem: { code: "too-many-requests" } });
  expect(take(NOW + DAY / 2).ok).toBe(true);
  expect(turns).toBe(1);
});

it("M20 renews an instance for the level that it was enrolled for, and for no other", () => {
  expect(refused(take(NOW + DAY / 2, shown(), { level: "master" }))).toBe(
    "the tenant's level is another one by now",
  );
  expect(take(NOW + DAY / 2)).toMatchObject({ ok: true, value: { level: "data" } });
});
