/** The registry of instances: rows in, recipients and revocations out. */

import type { Tier } from "#protocol/policy/index.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { HsmRecipient } from "./recipient.ts";
import type { Binding, Instance, MethodName, Recipient } from "./types.ts";

export type NewInstance = {
  id: string;
  binding: Binding;
  method: MethodName;
  tier: Tier;
  identityThumbprint: string;
  identityCertificateDigest: string;
  wrappingCertificateDigest: string;
  recipient: HsmRecipient;
  enrolled: number;
  notAfter: number;
};

type Row = {
  id: string;
  user: string;
  custodian: string;
  origin: string;
  method: MethodName;
  tier: Tier;
  hsm_key: string;
  hsm_certificate: string;
  enrolled: number;
  not_after: number;
  status: "active" | "revoked";
};

export function insertInstance(sql: SqlStorage, made: NewInstance): void {
  const { binding, recipient } = made;
  sql.exec(
    `INSERT INTO instances (id, user, custodian, client, jkt, origin, method, tier, identity_key, identity_certificate,
      wrapping_certificate, hsm_key, hsm_certificate, enrolled, not_after, status)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active')`,
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
    recipient.hsmKey,
    recipient.hsmCertificate,
    made.enrolled,
    made.notAfter,
  );
}

/** The holder of the wrapping certificate with this base64url SHA-256, or null. */
export function findRecipient(sql: SqlStorage, thumbprint: string, now: number): Recipient | null {
  const [row] = [...sql.exec<Row>("SELECT * FROM instances WHERE wrapping_certificate = ?", thumbprint)];
  if (!row) return null;
  const { id: instance, custodian, user, origin, tier, hsm_key: hsmKey, not_after: notAfter } = row;
  return { instance, custodian, user, origin, tier, hsmKey, notAfter, status: statusOf(row, now) };
}

/** The newest instances of a user first, at most 100. */
export function listInstances(sql: SqlStorage, user: string, now: number): Instance[] {
  const rows = sql.exec<Row>("SELECT * FROM instances WHERE user = ? ORDER BY enrolled DESC LIMIT 100", user);
  return [...rows].map((row) => {
    const { id, custodian, origin, method, tier, enrolled, not_after: notAfter } = row;
    return { id, custodian, origin, method, tier, enrolled, notAfter, status: statusOf(row, now) };
  });
}

/** Marks one revoked: from then on the KMS releases nothing to it, whatever the HSM still has. */
export function revokeInstance(sql: SqlStorage, id: string, user: string): Decision<void> {
  const [row] = [
    ...sql.exec("UPDATE instances SET status = 'revoked' WHERE id = ? AND user = ? RETURNING id", id, user),
  ];
  return row ? ok(undefined) : refuse("not-found", "no such instance of this user");
}

/** Instances whose recipient the HSM should forget: revoked or expired ones. */
export function instancesToRetire(sql: SqlStorage, now: number): (HsmRecipient & { id: string })[] {
  const rows = sql.exec<Row>(
    "SELECT * FROM instances WHERE hsm_gone = 0 AND (status = 'revoked' OR not_after <= ?) LIMIT 20",
    now,
  );
  return [...rows].map((row) => ({ id: row.id, hsmKey: row.hsm_key, hsmCertificate: row.hsm_certificate }));
}

export function markRetired(sql: SqlStorage, id: string): void {
  sql.exec("UPDATE instances SET hsm_gone = 1 WHERE id = ?", id);
}

/** When the next instance that the HSM still knows ends, seconds; null when there is none. */
export function nextEnd(sql: SqlStorage): number | null {
  return sql
    .exec<{ next: number | null }>("SELECT min(not_after) AS next FROM instances WHERE hsm_gone = 0")
    .one().next;
}

function statusOf(row: Row, now: number): Recipient["status"] {
  if (row.status !== "active") return "revoked";
  return row.not_after > now ? "active" : "expired";
}
