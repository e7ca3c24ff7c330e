import "reflect-metadata";
import { sign, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { jwsInput, jwsToken } from "#protocol/jws.ts";
import { TIER_POLICY } from "#protocol/pki/index.ts";
import type { EvidenceFault } from "./evidence-faults.ts";

/** The platform of the enclave emulator: all PEM. Who holds `key` says what ran; a verifier holds `root` alone. */
export interface Platform {
  root: string;
  certificate: string;
  key: string;
}

/** What the emulated enclave says of itself (RFC 9711). */
export interface EvidenceOrder {
  /** The verifier's nonce, 8 to 64 bytes. */
  nonce: Uint8Array;
  /** The name under which the enclave speaks to the verifier: evidence that is handed on is worth nothing. */
  client: string;
  /** Digest of the code that runs, lower-case hex. */
  measurement: string;
  now: Date;
  /** Seconds; 120 by default. */
  lifetime?: number;
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY = 24 * 3600 * 1000;
/** tcg-kp-AIKCertificate: a key that attests and does nothing else. */
const ATTESTATION_KEY = "2.23.133.8.3";

/** Makes a root and a platform key (P-256) that it certifies, good for a year from `now`. */
export async function makePlatform(now: Date): Promise<Platform> {
  const [rootKeys, keys] = await Promise.all([newKeys(), newKeys()]);
  const validity = {
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + 365 * DAY),
  };
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ["Coffer"] }, { CN: ["EMULATED enclave root"] }],
    keys: rootKeys,
    signingAlgorithm: P256,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ O: ["Coffer"] }, { CN: ["EMULATED enclave platform key"] }],
    issuer: root.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: P256,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([ATTESTATION_KEY]),
      new x509.CertificatePolicyExtension([TIER_POLICY.emulated]),
      await x509.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    root: root.toString("pem"),
    certificate: certificate.toString("pem"),
    key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
  };
}

/**
 * Evidence as an EAT: compact JWS, `eat+jwt`, ES256, as bytes. `EMULATED` stands inside what is signed. `fault` is what is
 * to be wrong with it.
 */
export function makeEvidence(
  { certificate, key }: Pick<Platform, "certificate" | "key">,
  { nonce, client, measurement, now, lifetime = 120 }: EvidenceOrder,
  fault: EvidenceFault = {},
): Uint8Array<ArrayBuffer> {
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
    ...fault.claims,
  };
  const signed = jwsInput(header, claims);
  const signature = sign("sha256", utf8(signed), { key, dsaEncoding: "ieee-p1363" });
  const token = jwsToken(signed, new Uint8Array(signature));
  return utf8(fault.token?.(token) ?? token);
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(P256, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}
