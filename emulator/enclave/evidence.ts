import { sign, X509Certificate } from "node:crypto";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { jwsInput, jwsToken } from "#protocol/jws.ts";
import type { EvidenceFault } from "./evidence-faults.ts";
import type { AttestationKey, Platform } from "./platform.ts";
import { hwversion, PLATFORM_VERSION } from "./platform-version.ts";

/** What the emulated enclave says of itself (RFC 9711). */
export interface EvidenceOrder {
  /** The verifier's nonce, 8 to 64 bytes. */
  nonce: Uint8Array;
  /** The name under which the enclave speaks to the verifier: evidence that is handed on is worth nothing. */
  client: string;
  /** Digest of the code that runs, lower-case hex. */
  measurement: string;
  /** Of the platform, numbers separated by dots; `PLATFORM_VERSION` by default. */
  version?: string;
  now: Date;
  /** Seconds; 120 by default. */
  lifetime?: number;
}

/**
 * Evidence as an EAT: compact JWS, `eat+jwt`, ES256, as bytes. `EMULATED` stands inside what is signed. `fault` is what is
 * to be wrong with it.
 */
export function makeEvidence(
  platform: AttestationKey & Partial<Pick<Platform, "faulty">>,
  { nonce, client, measurement, version = PLATFORM_VERSION, now, lifetime = 120 }: EvidenceOrder,
  fault: EvidenceFault = {},
): Uint8Array<ArrayBuffer> {
  const by = fault.by === undefined ? platform : platform.faulty?.[fault.by];
  if (by === undefined) throw new Error("The platform has no such key");
  const { certificate, key } = by;
  const iat = seconds(now) + (fault.later ?? 0);
  const header = {
    alg: "ES256",
    typ: "eat+jwt",
    x5c: [new X509Certificate(certificate).raw.toString("base64")],
    ...fault.header,
  };
  const claims = {
    eat_profile: "tag:coffer,2026:enclave-emulator#1",
    environment: "EMULATED",
    eat_nonce: encodeBase64url(nonce),
    sub: client,
    iat,
    exp: iat + (fault.lifetime ?? lifetime),
    measurement,
    hwversion: hwversion(version),
    ...fault.claims,
  };
  const signed = jwsInput(header, claims);
  const signedToo = fault.endOf ? jwsInput(header, { ...claims, ...fault.endOf }) : signed;
  const signature = sign("sha256", utf8(signedToo), { key, dsaEncoding: "ieee-p1363" });
  const token = jwsToken(signed, new Uint8Array(signature));
  return utf8(fault.token?.(token) ?? token);
}
