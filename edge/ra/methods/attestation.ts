/**
 * Attestation (M1): a deployer, signed in as the custodian for whom it deploys, opens the session and launches the microservice with it, where an
 * enclave exists. Session and evidence show two things: who may have an instance for whom, and what runs.
 */

import { encodeBase64url } from "#protocol/base64url.ts";
import { enrolmentSubject } from "#protocol/evidence-binder.ts";
import type { Caller } from "../../caller.ts";
import { type Decision, ok, refuse } from "../../result.ts";
import type { Binding, EvidenceResult } from "../types.ts";
import type { EnrolmentMethod, Verification } from "./method.ts";

/** Keeps for whom a session is, in the transaction that opened it. */
export function storeAttestation(sql: SqlStorage, caller: Caller, session: { id: string; expires: number }) {
  sql.exec("DELETE FROM attestations WHERE expires <= ?", session.expires - 3600);
  sql.exec(
    "INSERT INTO attestations (id, user, custodian, client, jkt, origin, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
    session.id,
    caller.user,
    caller.custodian,
    caller.client,
    caller.jkt,
    caller.origin,
    session.expires,
  );
}

export const attestationMethod = {
  name: "attestation",
  challenge: { nonce: 32, signedIn: false },

  // The session is the credential; the evidence is in the certificate request, which is read once both are used up.
  async prepare(credential, session) {
    if (credential !== "") return null;
    return { consume: (sql, by, now) => consume(sql, session, by.origin, now) };
  },
} as const satisfies EnrolmentMethod;

function consume(sql: SqlStorage, id: string, vault: string, now: number): Decision<Verification> {
  const [row] = [
    ...sql.exec<Binding & { expires: number }>(
      `UPDATE attestations SET used = ? WHERE id = ? AND used IS NULL
       RETURNING user, custodian, client, jkt, origin, expires`,
      now,
      id,
    ),
  ];
  if (!row) return refuse("invalid-grant", "no attestation was opened, or it is already used");
  if (!(now < row.expires)) return refuse("invalid-grant", "attestation expired");
  const { user, custodian, client, jkt, origin } = row;
  const binding = { user, custodian, client, jkt, origin };
  return ok(async ({ nonce, keys, evidence, appraise }) => {
    if (evidence === null) return refuse("attestation-refused", "the request has no evidence in it");
    const { identity, wrapping } = keys;
    const subject = await enrolmentSubject({ identity, wrapping, custodian, origin, vault });
    let result: EvidenceResult;
    try {
      const frame = { vault, app: origin };
      result = await appraise({ ...evidence, nonce, subject, key: identity, user, frame });
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown";
      return refuse("verifier-unavailable", `verifier: ${reason}`);
    }
    if (!result.ok) return refuse("attestation-refused", `evidence, by ${result.policy}: ${result.reason}`);
    return ok({ binding, tier: result.tier, measurements: result.measurements });
  });
}

/** Of the session that was opened, as its opener hands it on. */
export function opened(
  { id, nonce, expires }: { id: string; nonce: Uint8Array; expires: number },
  accepts: string[],
) {
  return { enrolment: id, nonce: encodeBase64url(nonce), expires, accepts };
}
