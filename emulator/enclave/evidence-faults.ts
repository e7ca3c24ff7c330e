/** What can be wrong with evidence of the enclave emulator (EAT), each under a name: for verifiers to refuse. */

import { createHash } from "node:crypto";
import { PARTY_FAULTS, type PartyFault } from "./party-faults.ts";
import type { FaultyKey } from "./platform.ts";
import { hwversion } from "./platform-version.ts";

/** Measurement of an older release, for policies to know and to take no more: SHA-384, lower-case hex. */
export const OLDER_RELEASE = measurementOf("EMULATED older release");

/** In place of what `makeEvidence` would write. */
export interface EvidenceFault extends PartyFault {
  /** Members of the header, and claims; undefined leaves one out. */
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
  /** Claims of a second piece, of which it has the signature, or the tag. */
  endOf?: Record<string, unknown>;
  /** The platform's key that signs it. */
  by?: FaultyKey;
  /** What `iat` and `exp` are counted from, seconds after the order's time. */
  later?: number;
  /** Seconds that the evidence lives. */
  lifetime?: number;
  /** The compact JWS. */
  token?(token: string): string;
}

export const EVIDENCE_FAULTS = {
  "nonce-absent": { claims: { eat_nonce: undefined } },
  "nonce-wrong": { claims: { eat_nonce: "A".repeat(43) } },
  "nonces-two": { claims: { eat_nonce: ["A".repeat(43), "B".repeat(43)] } },
  "client-absent": { claims: { sub: undefined } },
  "client-wrong": { claims: { sub: "mallory" } },
  ...PARTY_FAULTS,
  stale: { later: -180 },
  "ends-now": { later: -120 },
  "clock-ahead": { later: 360 },
  "lifetime-too-long": { lifetime: 301 },
  "times-absent": { claims: { iat: undefined, exp: undefined } },
  "times-no-numbers": { claims: { exp: "9999999999" } },
  "not-emulated": { claims: { environment: "nitro" } },
  "measurement-absent": { claims: { measurement: undefined } },
  "measurement-short": { claims: { measurement: "ab" } },
  "measurement-upper-case": { claims: { measurement: "AB".repeat(48) } },
  "code-other": { claims: { measurement: measurementOf("EMULATED other code") } },
  "release-older": { claims: { measurement: OLDER_RELEASE } },
  "platform-revoked": { by: "revoked" },
  "platform-out-of-date": { claims: { hwversion: hwversion("1.9") } },
  "platform-version-absent": { claims: { hwversion: undefined } },
  "platform-version-malformed": { claims: { hwversion: ["two", 1] } },
  "algorithm-none": { header: { alg: "none" } },
  "algorithm-hs256": { header: { alg: "HS256" } },
  "type-other": { header: { typ: "JWT" } },
  "header-critical": { header: { crit: ["exp"] } },
  "root-wrong": { by: "stranger" },
  "certificate-expired": { by: "expired" },
  "certificate-not-yet-valid": { by: "early" },
  "certificate-for-something-else": { by: "purpose" },
  "certificate-not-emulated": { by: "unmarked" },
  "certificate-absent": { header: { x5c: undefined } },
  "certificates-none": { header: { x5c: [] } },
  "key-inside": { header: { jwk: { kty: "EC" } } },
  "bit-flipped": {
    token: (token) => `${token.slice(0, -2)}${token.at(-2) === "A" ? "B" : "A"}${token.slice(-1)}`,
  },
  "signature-of-another": { endOf: { jti: "another" } },
  "signature-absent": { token: (token) => token.slice(0, token.lastIndexOf(".") + 1) },
  "trailing-part": { token: (token) => `${token}.AA` },
  "trailing-byte": { token: (token) => `${token}\n` },
  oversized: { claims: { padding: "x".repeat(8192) } },
} as const satisfies Record<string, EvidenceFault>;

export type EvidenceFaultName = keyof typeof EVIDENCE_FAULTS;

function measurementOf(text: string): string {
  return createHash("sha384").update(text).digest("hex");
}
