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
import { type Decision, ok, turnAway } from "../result.ts";
import { checkWrappingKey, type InstanceKeys } from "./request.ts";
import { endedBy } from "./revocations.ts";
import type { Binding } from "./types.ts";

/** Renewed certificates are known under those before for so long: what was asked for under them is still on its way. Seconds. */
const OVERLAP_SECONDS = 600;

/** Of a request whose signature is good: base64url SHA-256 of the certificates, and their keys. */
export type Shown = { identityCertificate: string; wrappingCertificate: string; keys: InstanceKeys };

/** Reads and verifies what needs no state. Throws `Error` with the reason, for the audit log. */
export async function readRenewal({ proof, ...request }: Renewal): Promise<Shown> {
  const identity = decodeBase64url(request.identityCertificate);
  const wrapping = decodeBase64url(request.wrappingCertificate);
  const { spki } = parseCertificate(identity);
  const wrappingKey = await checkWrappingKey(new Uint8Array(parseCertificate(wrapping).spki));
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("spki", new Uint8Array(spki), algorithm, true, ["verify"]);
  const input = await renewalInput(crypto.subtle, { identity, wrapping });
  if (!(await crypto.subtle.verify(algorithm, key, decodeBase64url(proof), input)))
    throw new Error("renewal is not signed by the identity key");
  return {
    identityCertificate: await digest(identity),
    wrappingCertificate: await digest(wrapping),
    keys: {
      identity: new Uint8Array(spki),
      identityThumbprint: await thumbprint(jwkFromSpki(new Uint8Array(spki))),
      wrapping: wrappingKey.spki,
      wrappingModulusLength: wrappingKey.modulusLength,
    },
  };
}

/** An instance whose certificates are being renewed. `line`: the first instance of this one's renewals. `attested`: when evidence was shown; null where none was. */
export type Renewed = {
  id: string;
  line: string;
  binding: Binding;
  method: MethodName;
  tier: Tier;
  attested: number | null;
  level: Level;
  notAfter: number;
};

type Row = Binding & {
  id: string;
  line: string;
  method: MethodName;
  tier: Tier;
  enrolled: number;
  not_after: number;
  attested: number | null;
  level: Level;
  renewed: number | null;
  status: "active" | "revoked";
};

/**
 * Takes the right to renew these certificates out of use, in the transaction of the decision. From the middle of their life
 * on, and not for an instance that has ended. `attestedSeconds`: how long evidence counts. `level`: the tenant's. `turn` is taken
 * for what may be renewed alone: certificates that may not, who ever has them, use up nobody's.
 */
export function takeRenewal(
  sql: SqlStorage,
  { identityCertificate, wrappingCertificate }: Shown,
  {
    now,
    attestedSeconds,
    level,
    turn,
  }: { now: number; attestedSeconds: number; level: Level; turn: () => Decision<null> },
): Decision<Renewed> {
  const [row] = sql
    .exec<Row>(
      "SELECT * FROM instances WHERE identity_certificate = ? AND wrapping_certificate = ?",
      identityCertificate,
      wrappingCertificate,
    )
    .toArray();
  if (!row) return turnAway("not-recipient", "no instance has these certificates");
  const { id, line, method, tier, attested, enrolled, not_after: notAfter } = row;
  if (row.status !== "active") return turnAway("not-recipient", "instance is revoked");
  if (!(now < notAfter)) return turnAway("not-recipient", "instance has expired");
  if (row.renewed !== null) return turnAway("invalid-grant", "certificates were renewed before");
  if (!(enrolled + (notAfter - enrolled) / 2 <= now)) return turnAway("invalid-grant", "renewed too early");
  if (attested !== null && !(now < attested + attestedSeconds))
    return turnAway("attestation-refused", "the evidence is too old");
  // It was enrolled for a level, and has another one by enrolling again alone.
  if (row.level !== level) return turnAway("invalid-grant", "the tenant's level is another one by now");
  const taken = turn();
  if (!taken.ok) return taken;
  sql.exec("UPDATE instances SET renewed = ? WHERE id = ?", now, id);
  const { user, custodian, client, jkt, origin } = row;
  return ok({
    id,
    line,
    binding: { user, custodian, client, jkt, origin },
    method,
    tier,
    attested,
    level,
    notAfter,
  });
}

/** It came to nothing, and can be asked for again. */
export function giveRenewalBack(sql: SqlStorage, id: string): void {
  sql.exec("UPDATE instances SET renewed = NULL WHERE id = ?", id);
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
