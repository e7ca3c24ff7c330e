/** What can be wrong with a platform's credential (M1's variants), each under a name: for verifiers to refuse. */
import { EVIDENCE_FAULTS, type EvidenceFault } from "./evidence-faults.ts";
import { PARTY_FAULTS } from "./party-faults.ts";
import { hwversion } from "./platform-version.ts";

/** In place of what `signedCredential` or `encryptedCredential` would write. */
export type CredentialFault = EvidenceFault;

const changed = (token: string, at: number) =>
  `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`;

export const CREDENTIAL_FAULTS = {
  "nonce-absent": { claims: { eat_nonce: undefined } },
  "nonce-wrong": { claims: { eat_nonce: "A".repeat(43) } },
  "client-absent": { claims: { sub: undefined } },
  "client-wrong": { claims: { sub: "mallory" } },
  ...PARTY_FAULTS,
  stale: { later: -180 },
  "ends-now": { later: -120 },
  "clock-ahead": { later: 360 },
  "lifetime-too-long": { lifetime: 301 },
  "times-absent": { claims: { iat: undefined, exp: undefined } },
  "not-emulated": { claims: { environment: "nitro" } },
  "measurement-absent": { claims: { measurement: undefined } },
  "measurement-upper-case": { claims: { measurement: "AB".repeat(48) } },
  "code-other": EVIDENCE_FAULTS["code-other"],
  "release-older": EVIDENCE_FAULTS["release-older"],
  "platform-out-of-date": { claims: { hwversion: hwversion("1.9") } },
  "platform-version-absent": { claims: { hwversion: undefined } },
  "platform-version-malformed": { claims: { hwversion: ["two", 1] } },
  "algorithm-none": { header: { alg: "none" } },
  "type-other": { header: { typ: "JWT" } },
  "key-absent": { header: { kid: undefined } },
  "key-unknown": { header: { kid: "A".repeat(43) } },
  "key-inside": { header: { jwk: { kty: "EC" } } },
  "header-critical": { header: { crit: ["exp"] } },
  "bit-flipped": { token: (token) => changed(token, token.length - 3) },
  "bit-flipped-inside": { token: (token) => changed(token, token.lastIndexOf(".") - 3) },
  "end-of-another": { endOf: { jti: "another" } },
  "end-absent": { token: (token) => token.slice(0, token.lastIndexOf(".") + 1) },
  "trailing-part": { token: (token) => `${token}.AA` },
  "trailing-byte": { token: (token) => `${token}\n` },
  oversized: { claims: { padding: "x".repeat(4096) } },
} as const satisfies Record<string, CredentialFault>;

export type CredentialFaultName = keyof typeof CREDENTIAL_FAULTS;
