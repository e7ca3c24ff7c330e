/** The registry of instances: rows in, recipients and revocations out. */

import type { MethodName } from "#protocol/enrolment.ts";
import type { Level } from "#protocol/level.ts";
import type { Tier } from "#protocol/policy/index.ts";
import type { Enrolled, InstanceFacts } from "../enrolled.ts";
import { intend } from "../outbox.ts";
import { type Decision, ok, refuse, refuseForNow } from "../result.ts";
import { readRegisters } from "./registers.ts";
import { endedBy, FIRST_LIST, UNLISTED } from "./revocations.ts";
import type { Binding, Instance, Recipient, UserInstance } from "./types.ts";

export type NewInstance = {
  id: string;
  binding: Binding;
  level: Level;
  identityThumbprint: string;
  identityCertificateDigest: string;
  wrappingCertificateDigest: string;
  hsmKey: string;
  /** Of a hybrid recipient: its ML-KEM key at the HSM, and SHA-256 of both certificates. */
  hybrid?: { key: string; certificates: string } | undefined;
  enrolled: number;
  notAfter: number;
  /** Serial numbers of its certificates, hexadecimal. */
  serials?: string[] | undefined;
  /** The list of revoked certificates that they name. */
  list?: number | undefined;
  /** Of a renewal: the first instance in its line. */
  line?: string | undefined;
  /** When it, or the first in its line, has shown evidence. */
  attested?: number | null | undefined;
} & InstanceFacts;

type Row = {
  id: string;
  user: string;
  custodian: string;
  client: string;
  jkt: string;
  origin: string;
  method: MethodName;
  tier: Tier;
  level: Level;
  identity_key: string;
  identity_certificate: string;
  wrapping_certificate: string;
  hsm_key: string;
  hybrid_key: string | null;
  registers: string | null;
  enrolled: number;
  not_after: number;
  status: "active" | "revoked";
};

export function insertInstance(sql: SqlStorage, made: NewInstance): void {
  const { binding } = made;
  sql.exec(
    `INSERT INTO instances (id, user, custodian, client, jkt, origin, method, tier, identity_key, identity_certificate,
      wrapping_certificate, hsm_key, enrolled, not_after, level, serials, line, attested, certified, hybrid_key,
      hybrid_certificates, registers, list, status)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active')`,
    made.id,
    binding.user,
    binding.custodian,
    binding.client,
    binding.jkt,
    binding.origin,
    made.method,
    made.tier,
    made.identityThumbprint,
    made.identityCertificateDigest,
    made.wrappingCertificateDigest,
    made.hsmKey,
    made.enrolled,
    made.notAfter,
    made.level,
    (made.serials ?? []).join(),
    made.line ?? made.id,
    made.attested ?? null,
    made.notAfter,
    made.hybrid?.key ?? null,
    made.hybrid?.certificates ?? null,
    made.registers ? JSON.stringify(made.registers) : null,
    made.list ?? FIRST_LIST,
  );
}

/**
 * Revokes the idlest instances of a user so that with one more there are `max`, and answers their ids. A user who still uses
 * one enrols again by itself; so no number of devices, tabs and processes locks anyone out.
 */
export function makeRoom(sql: SqlStorage, user: string, max: number, now: number): string[] {
  const idlest = sql
    .exec<Ended>(
      `UPDATE instances SET status = 'revoked', ${endedBy("cessationOfOperation")} WHERE id IN (
         SELECT id FROM instances WHERE user = ?2 AND status = 'active' AND not_after > ?1
         ORDER BY coalesce(used, enrolled) DESC, enrolled DESC, id LIMIT -1 OFFSET ?3) ${ENDED}`,
      now,
      user,
      max - 1,
    )
    .toArray();
  tellKms(sql, idlest);
  return idlest.map(({ id }) => id);
}

/**
 * Refuses one more while a user has `max` instances whose certificates have not expired, with those that are `underWay`. Ended ones count too: each
 * may have to be named by the tenant's revocation list until then, and the list is for all its users. It may pass when the first of them has expired.
 */
export function boundUnexpired(
  sql: SqlStorage,
  of: { user: string; max: number; underWay?: number },
  now: number,
): Decision<null> {
  const { unexpired, next } = sql
    .exec<{ unexpired: number; next: number | null }>(
      "SELECT count(*) AS unexpired, min(certified) AS next FROM instances WHERE user = ? AND certified > ?",
      of.user,
      now,
    )
    .one();
  if (unexpired + (of.underWay ?? 0) < of.max) return ok(null);
  return refuseForNow("too many certificates that have not expired", (next ?? now) - now);
}

/** For the KMS: an instance that was revoked. */
export type EndedInstance = { instance: string };
type Ended = Pick<Row, "id" | "user" | "level">;
const ENDED = "RETURNING id, user, level";

/** The KMS hears of it, since it keeps Enc(master) for instances at level `master` (W12). In the transaction of the decision. */
function tellKms(sql: SqlStorage, ended: Iterable<Ended>): void {
  for (const { id, user, level } of [...ended])
    if (level === "master") intend(sql, `kms/${user}`, { instance: id } satisfies EndedInstance);
}

/** Between two notes that an instance is in use, seconds. */
const NOTED = 60;

/** Notes that a key is released to the holder of this wrapping certificate. */
export function noteUse(sql: SqlStorage, thumbprint: string, now: number): void {
  // An UPDATE that changes nothing would begin a transaction all the same, for whose end the answer waits.
  const due = sql.exec(
    "SELECT 1 FROM instances WHERE wrapping_certificate = ? AND coalesce(used, 0) <= ?",
    thumbprint,
    now - NOTED,
  );
  if (due.toArray().length > 0)
    sql.exec("UPDATE instances SET used = ? WHERE wrapping_certificate = ?", now, thumbprint);
}

/** The user's instance that holds the wrapping certificate with this base64url SHA-256, or null. */
export function findRecipient(
  sql: SqlStorage,
  { user, thumbprint }: { user: string; thumbprint: string },
  now: number,
): Recipient | null {
  const [row] = sql
    .exec<Row>("SELECT * FROM instances WHERE wrapping_certificate = ? AND user = ?", thumbprint, user)
    .toArray();
  if (!row) return null;
  const { id: instance, custodian, origin, method, tier, hsm_key: hsmKey, not_after: notAfter } = row;
  const { hybrid_key: hybridKey } = row;
  const registers = readRegisters(row.registers);
  return {
    instance,
    custodian,
    user,
    origin,
    method,
    tier,
    registers,
    hsmKey,
    hybridKey,
    notAfter,
    status: statusOf(row, now),
  };
}

/**
 * The user's instance with this id, or with `identityCertificate` (base64url SHA-256) the one that has this certificate, of those that this one was
 * renewed from or by; or null.
 */
export function findEnrolled(
  sql: SqlStorage,
  of: { user: string; instance: string; identityCertificate?: string },
  now: number,
): Enrolled | null {
  const { user, instance: named, identityCertificate: shown } = of;
  // Each is found by an index: this runs at each request of an instance.
  const found =
    shown === undefined
      ? sql.exec<Row>("SELECT * FROM instances WHERE id = ? AND user = ?", named, user)
      : sql.exec<Row>(
          `SELECT * FROM instances WHERE identity_certificate = ? AND user = ?
           AND line = (SELECT line FROM instances WHERE id = ?)`,
          ...[shown, user, named],
        );
  const [row] = found.toArray();
  if (!row) return null;
  const { id: instance } = row;
  const { custodian, client, jkt, origin, level, method, tier, hsm_key: hsmKey, not_after: notAfter } = row;
  const { identity_key: identityKey, identity_certificate: identityCertificate } = row;
  return {
    ...{
      instance,
      user,
      custodian,
      client,
      jkt,
      origin,
      level,
      method,
      tier,
      identityKey,
      identityCertificate,
    },
    wrappingCertificate: row.wrapping_certificate,
    registers: readRegisters(row.registers),
    ...{ hsmKey, hybridKey: row.hybrid_key, notAfter, status: statusOf(row, now) },
  };
}

/** Whose an instance is: a user's, in one app (M13). */
export type InstanceOwner = { user: string; client: string };

/** The newest instances of a user in this app first, at most 100. */
export function listInstances(sql: SqlStorage, { user, client }: InstanceOwner, now: number): Instance[] {
  const rows = sql.exec<Row>(
    "SELECT * FROM instances WHERE user = ? AND client = ? ORDER BY enrolled DESC LIMIT 100",
    user,
    client,
  );
  return [...rows].map((row) => listedOf(row, now));
}

/** The newest instances of a user in all apps first, at most 100: for an admin. */
export function listUserInstances(sql: SqlStorage, user: string, now: number): UserInstance[] {
  const rows = sql.exec<Row>("SELECT * FROM instances WHERE user = ? ORDER BY enrolled DESC LIMIT 100", user);
  return [...rows].map((row) => ({ ...listedOf(row, now), client: row.client }));
}

function listedOf(row: Row, now: number): Instance {
  const { id, custodian, origin, method, tier, enrolled, not_after: notAfter } = row;
  return { id, custodian, origin, method, tier, enrolled, notAfter, status: statusOf(row, now) };
}

/**
 * Marks one revoked, with what it was renewed from and by: from then on the KMS releases nothing to it, whatever the HSM still has. Without `client` in
 * whichever app it is, as an admin ends it.
 */
export function revokeInstance(
  sql: SqlStorage,
  id: string,
  { user, client = null }: { user: string; client?: string | null },
  now: number,
): Decision<void> {
  const rows = [
    ...sql.exec<Ended>(
      `UPDATE instances SET status = 'revoked', ${endedBy("privilegeWithdrawn")}
       WHERE line IN (SELECT line FROM instances WHERE id = ?2) AND user = ?3 AND client = coalesce(?4, client) ${ENDED}`,
      now,
      id,
      user,
      client,
    ),
  ];
  tellKms(sql, rows);
  return rows.length > 0 ? ok(undefined) : refuse("not-found", "no such instance of this user in this app");
}

/** Ends all that a custodian with this DPoP key has: its instances, and grants and secret zeros that are still open. */
export function endCustodian(sql: SqlStorage, jkt: string, now: number): void {
  const end = `UPDATE instances SET status = 'revoked', ${endedBy("cessationOfOperation")}
    WHERE jkt = ?2 AND not_after > ?1 ${ENDED}`;
  tellKms(sql, sql.exec<Ended>(end, now, jkt));
  sql.exec("DELETE FROM grants WHERE jkt = ? AND used IS NULL", jkt);
  sql.exec("DELETE FROM secret_zeros WHERE jkt = ? AND used IS NULL", jkt);
  sql.exec("DELETE FROM attestations WHERE jkt = ? AND used IS NULL", jkt);
}

/** Ids of instances whose recipient the HSM should forget: revoked or expired. At most 20. */
export function instancesToRetire(sql: SqlStorage, now: number): string[] {
  const ended = sql.exec<{ id: string }>(
    "SELECT id FROM instances WHERE hsm_gone = 0 AND (status = 'revoked' OR not_after <= ?) LIMIT 20",
    now,
  );
  return ended.toArray().map(({ id }) => id);
}

/** The HSM has forgotten the recipient. Rows of long ended instances go after a while, for the audit log has them. */
export function markRetired(sql: SqlStorage, id: string, now: number): void {
  sql.exec("UPDATE instances SET hsm_gone = 1 WHERE id = ?", id);
  sql.exec("DELETE FROM instances WHERE hsm_gone = 1 AND not_after <= ?", now - KEPT);
}

/** An ended instance stays in the list for 30 days. */
const KEPT = 30 * 24 * 3600;

/** When there is next something to retire, seconds: 0 for what was revoked or is not on the list yet; null when nothing is to come. */
export function nextRetirement(sql: SqlStorage, now: number): number | null {
  return sql
    .exec<{ next: number | null }>(
      `SELECT min(next) AS next FROM (
         SELECT min(iif(status = 'revoked', 0, not_after)) AS next FROM instances WHERE hsm_gone = 0
         UNION ALL SELECT 0 FROM instances WHERE ${UNLISTED})`,
      now,
    )
    .one().next;
}

function statusOf(row: Row, now: number): Recipient["status"] {
  if (row.status !== "active") return "revoked";
  return row.not_after > now ? "active" : "expired";
}
