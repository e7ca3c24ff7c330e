/**
 * Renewal: an instance presents its certificates and signs with its own certified key. It gets others for the same keys and the
 * same custodian, and with no more time than what it was enrolled by has left.
 */

import { decodeBase64url } from "#protocol/base64url.ts";
import type { Renewal } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import type { MethodName } from "#protocol/enrolment.ts";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import type { Level } from "#protocol/level.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import type { Tier } from "#protocol/policy/index.ts";
import { renewalInput } from "#protocol/renewal.ts";
import type { InstanceFacts } from "../enrolled.ts";
import { type Decision, ok, turnAway } from "../result.ts";
import { readRegisters } from "./registers.ts";
import { checkHybridKeys, checkWrappingKey, type InstanceKeys } from "./request.ts";
import { endedBy } from "./revocations.ts";
import type { Binding, Enrolment } from "./types.ts";

/** Renewed certificates are known under those before for so long: what was asked for under them is still on its way. Seconds. */
const OVERLAP_SECONDS = 600;

/** Of a request whose signature is good: base64url SHA-256 of the certificates, and their keys. */
export type Shown = {
  identityCertificate: string;
  wrappingCertificate: string;
  /** Of both certificates of a hybrid recipient, with a comma between. */
  hybridCertificates: string | null;
  keys: InstanceKeys;
};

/** Reads and verifies what needs no state. Throws `Error` with the reason, for the audit log. */
export async function readRenewal({ proof, ...request }: Renewal): Promise<Shown> {
  const identity = decodeBase64url(request.identityCertificate);
  const wrapping = decodeBase64url(request.wrappingCertificate);
  const { agreementCertificate, kemCertificate } = request.hybrid ?? {};
  const hybrid =
    agreementCertificate === undefined || kemCertificate === undefined
      ? undefined
      : { agreement: decodeBase64url(agreementCertificate), kem: decodeBase64url(kemCertificate) };
  const spki = spkiIn(identity);
  const wrappingKey = await checkWrappingKey(spkiIn(wrapping));
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]);
  const input = await renewalInput(crypto.subtle, {
    identity,
    wrapping,
    ...(hybrid && { hybrid: [hybrid.agreement, hybrid.kem] }),
  });
  if (!(await crypto.subtle.verify(algorithm, key, decodeBase64url(proof), input)))
    throw new Error("renewal is not signed by the identity key");
  return {
    identityCertificate: await digest(identity),
    wrappingCertificate: await digest(wrapping),
    hybridCertificates: hybrid ? await hybridDigests([hybrid.agreement, hybrid.kem]) : null,
    keys: {
      identity: spki,
      identityThumbprint: await thumbprint(jwkFromSpki(spki)),
      wrapping: wrappingKey.spki,
      wrappingModulusLength: wrappingKey.modulusLength,
      hybrid: hybrid && checkHybridKeys({ agreement: spkiIn(hybrid.agreement), kem: spkiIn(hybrid.kem) }),
    },
  };
}

/** Of the certificates of a hybrid recipient, X25519 and ML-KEM-768, as they are kept and looked for: base64url SHA-256, with a comma between. */
export async function hybridDigests(
  certificates: readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>],
): Promise<string> {
  return (await Promise.all(certificates.map(digest))).join();
}

function spkiIn(certificate: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parseCertificate(certificate).spki);
}

/** An instance whose certificates are being renewed. `line`: the first instance of this one's renewals. `attested`: when evidence was shown; null where none was. */
export type Renewed = {
  id: string;
  line: string;
  binding: Binding;
  attested: number | null;
  level: Level;
  notAfter: number;
} & InstanceFacts;

type Row = Binding & {
  id: string;
  line: string;
  method: MethodName;
  tier: Tier;
  enrolled: number;
  not_after: number;
  attested: number | null;
  registers: string | null;
  level: Level;
  hybrid_certificates: string | null;
  status: "active" | "revoked";
};

/** `again`: an answer that may have been lost. `underWay`: the instance whose renewal is being answered. */
export type Taken = Renewed | { again: Enrolment } | { underWay: string };

/**
 * Whether these certificates may be renewed: from the middle of their life on, and not for an instance that has ended. Who may is under way from the
 * decision on (`isUnderWay`), with no wait in between. What was renewed is answered as before, while what it was renewed by lives: that gives its holder
 * nothing new. `attestedSeconds`: how long evidence counts. `level`: the tenant's. `turn` is taken for what may be renewed alone: certificates
 * that may not, who ever has them, use up nobody's.
 */
export function takeRenewal(
  sql: SqlStorage,
  { identityCertificate, wrappingCertificate, hybridCertificates }: Shown,
  {
    now,
    attestedSeconds,
    level,
    turn,
    isUnderWay,
  }: {
    now: number;
    attestedSeconds: number;
    level: Level;
    turn: () => Decision<null>;
    isUnderWay: (id: string) => boolean;
  },
): Decision<Taken> {
  const [row] = sql
    .exec<Row>(
      "SELECT * FROM instances WHERE identity_certificate = ? AND wrapping_certificate = ?",
      identityCertificate,
      wrappingCertificate,
    )
    .toArray();
  if (!row || row.hybrid_certificates !== hybridCertificates)
    return turnAway("not-recipient", "no instance has these certificates");
  const { id, line, method, tier, attested, enrolled, not_after: notAfter } = row;
  if (row.status !== "active") return turnAway("not-recipient", "instance is revoked");
  const before = isUnderWay(id) ? { underWay: id } : answerBefore(sql, id, now);
  if (before !== null) {
    const taken = turn();
    return taken.ok ? ok(before) : taken;
  }
  if (!(now < notAfter)) return turnAway("not-recipient", "instance has expired");
  // One that came to nothing or was cut off has left neither an answer nor an instance.
  if (!(enrolled + (notAfter - enrolled) / 2 <= now)) return turnAway("invalid-grant", "renewed too early");
  if (attested !== null && !(now < attested + attestedSeconds))
    return turnAway("attestation-refused", "the evidence is too old");
  // It was enrolled for a level, and has another one by enrolling again alone.
  if (row.level !== level) return turnAway("invalid-grant", "the tenant's level is another one by now");
  const taken = turn();
  if (!taken.ok) return taken;
  const { user, custodian, client, jkt, origin } = row;
  return ok({
    id,
    line,
    binding: { user, custodian, client, jkt, origin },
    method,
    tier,
    // Of the evidence that was shown once: what runs now nobody has looked at.
    registers: readRegisters(row.registers),
    attested,
    level,
    notAfter,
  });
}

/** Keeps what a renewal is answered with, in the transaction that makes the instance. */
export function keepAnswer(sql: SqlStorage, id: string, answer: Enrolment, now: number): void {
  sql.exec("DELETE FROM renewals WHERE expires <= ?", now);
  sql.exec(
    "INSERT OR REPLACE INTO renewals VALUES (?, ?, ?, ?)",
    ...[id, answer.instance, JSON.stringify(answer), answer.notAfter],
  );
}

function answerBefore(sql: SqlStorage, id: string, now: number): { again: Enrolment } | null {
  const [kept] = sql
    .exec<{ answer: string }>(
      `SELECT r.answer FROM renewals r JOIN instances i ON i.id = r.next
       WHERE r.instance = ? AND i.status = 'active' AND i.not_after > ?`,
      ...[id, now],
    )
    .toArray();
  return kept ? { again: JSON.parse(kept.answer) as Enrolment } : null;
}

/** Whether it still lives, so that its renewal may; then its own certificates count for what is on its way, and no longer. */
export function replaceBy(sql: SqlStorage, id: string, now: number): boolean {
  const live = sql.exec(
    `UPDATE instances SET not_after = min(not_after, ?1), ${endedBy("superseded")}
     WHERE id = ?2 AND status = 'active' RETURNING id`,
    now + OVERLAP_SECONDS,
    id,
  );
  return live.toArray().length === 1;
}
