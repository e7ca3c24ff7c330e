/**
 * Enrolment, on the vault's origin: a session, then request and credential for certificates. Whether the cookie is needed is up to the
 * methods: without one, a session is opened for those alone that need none. Times are seconds since 1970.
 */

import { line, list, type Of, object, open, seconds, text } from "../shape.ts";
import { certificate, enrolmentId, instanceId, jws, principalId } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";

/**
 * `principal`: without a cookie, whose instance is to enrol. `nonce`: 32 random bytes, base64url, for the certificate
 * request.
 */
export const openEnrolment = {
  site: "vault",
  method: "POST",
  path: "/ra/enrolments",
  authentication: "session-if-any",
  request: { json: object({}, { principal: principalId }) },
  answer: {
    status: 201,
    json: open({
      id: enrolmentId,
      nonce: text(1, 128, /^[\w-]*$/),
      expires: seconds,
      accepts: list(line(32), 1, 16),
    }),
  },
  problems: ["foreign-origin", "no-session", "too-many-requests"],
} as const satisfies Route;

const redemption = object(
  {
    method: text(0, 32),
    credential: text(0, 4096),
    /** PKCS#10 DER, base64url; its challengePassword is the session's nonce, base64url. Evidence is in it too. */
    identityRequest: text(0, 49_152),
    /** RSA SubjectPublicKeyInfo, base64url. */
    wrappingKey: text(0, 1024),
    /** ECDSA r || s over the wrapping proof's input by the identity key, base64url. */
    wrappingProof: text(86, 86),
  },
  {
    /**
     * Two more keys to which data keys are wrapped: X25519 and ML-KEM-768 SubjectPublicKeyInfo, and ECDSA r || s over
     * `hybridProofInput` by the identity key. All base64url.
     */
    hybrid: object({ agreementKey: text(0, 64), kemKey: text(0, 2048), proof: text(86, 86) }),
  },
);

export type Redemption = Of<typeof redemption>;

/** Those of a hybrid recipient: keyAgreement, and keyEncipherment. */
const hybridCertificates = { agreementCertificate: certificate, kemCertificate: certificate };

/** What an instance has at the end of an enrolment or a renewal. */
const enrolled = open(
  {
    instance: instanceId,
    method: text(1, 32, /^[a-z-]*$/),
    identityCertificate: certificate,
    wrappingCertificate: certificate,
    /** Issuing CA and root. */
    chain: list(certificate, 0, 4),
    /** Root-signed trust list (protocol/keys). */
    trust: jws,
    /** Distinguished Name and origin of the one custodian that the instance serves (M13). */
    custodian: line(1024),
    origin: line(512),
    notAfter: seconds,
  },
  {
    /** Absent where none was asked for, or the HSM wraps to none. */
    hybrid: open(hybridCertificates),
  },
);

export const redeemEnrolment = {
  site: "vault",
  method: "POST",
  path: "/ra/enrolments/{id}",
  authentication: "session-if-any",
  parameters: { id: enrolmentId },
  request: { json: redemption },
  answer: {
    status: 200,
    json: enrolled,
  },
  problems: [
    "invalid-grant",
    "foreign-origin",
    "no-session",
    "too-many-requests",
    "invalid-certificate",
    "attestation-refused",
    "verifier-unavailable",
    "foreign-custodian",
    "forbidden",
    "hsm-refused",
    "hsm-unavailable",
  ],
} as const satisfies Route;

/**
 * An enrolled instance renews its certificates by itself, once each, in the second half of their life. `proof`: ECDSA r || s over
 * `renewalInput` by its identity key, base64url. Without a cookie: the key says who asks.
 */
export const renewEnrolment = {
  site: "vault",
  method: "POST",
  path: "/ra/renewals",
  authentication: "instance",
  request: {
    json: object(
      {
        identityCertificate: certificate,
        wrappingCertificate: certificate,
        proof: text(86, 86, /^[\w-]*$/),
      },
      { hybrid: object(hybridCertificates) },
    ),
  },
  answer: { status: 200, json: enrolled },
  problems: [
    "foreign-origin",
    "no-session",
    "invalid-certificate",
    "invalid-grant",
    "not-recipient",
    "foreign-custodian",
    "attestation-refused",
    "too-many-requests",
    "hsm-refused",
    "hsm-unavailable",
  ],
} as const satisfies Route;
export type Renewal = BodyOf<typeof renewEnrolment>;
