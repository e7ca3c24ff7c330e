import "reflect-metadata";
import { createHash, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { TIER_POLICY } from "#protocol/pki/index.ts";

/** The platform of the enclave emulator: all PEM. Who holds `key` says what ran; a verifier holds `root` alone. */
export interface Platform extends AttestationKey {
  root: string;
  /** Keys with which something is wrong, for faults. */
  faulty: Record<FaultyKey, AttestationKey>;
}
export interface AttestationKey {
  certificate: string;
  key: string;
}

/** Certified by another root; revoked, where policies say so; ended; not begun; for something else; not marked as emulated. */
export type FaultyKey = "stranger" | "revoked" | "expired" | "early" | "purpose" | "unmarked";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY = 24 * 3600 * 1000;
const YEAR = 365 * DAY;
/** tcg-kp-AIKCertificate: a key that attests and does nothing else. */
const ATTESTATION_KEY = "2.23.133.8.3";
/** id-kp-clientAuth. */
const CLIENT = "1.3.6.1.5.5.7.3.2";

/** Makes a root and a platform key (P-256) that it certifies, good for a year from `now`, and keys with something wrong. */
export async function makePlatform(now: Date): Promise<Platform> {
  const [root, stranger] = await Promise.all([makeRoot(now), makeRoot(now)]);
  const good = { notBefore: now.getTime() - DAY, notAfter: now.getTime() + YEAR };
  const certify = (change: Partial<KeyOrder> = {}, by = root) =>
    makeKey(by, { ...good, purpose: ATTESTATION_KEY, policies: [TIER_POLICY.emulated], ...change });
  const { certificate, key } = await certify();
  return {
    root: root.certificate.toString("pem"),
    certificate,
    key,
    faulty: {
      stranger: await certify({}, stranger),
      revoked: await certify(),
      expired: await certify({ notAfter: now.getTime() - 1000 }),
      early: await certify({ notBefore: now.getTime() + YEAR, notAfter: now.getTime() + 2 * YEAR }),
      purpose: await certify({ purpose: CLIENT }),
      unmarked: await certify({ policies: [] }),
    },
  };
}

type Root = { certificate: x509.X509Certificate; keys: CryptoKeyPair };
type KeyOrder = { notBefore: number; notAfter: number; purpose: string; policies: string[] };

async function makeRoot(now: Date): Promise<Root> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ["Coffer"] }, { CN: ["EMULATED enclave root"] }],
    keys,
    signingAlgorithm: P256,
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + YEAR),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, keys };
}

async function makeKey(
  root: Root,
  { notBefore, notAfter, purpose, policies }: KeyOrder,
): Promise<AttestationKey> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ O: ["Coffer"] }, { CN: ["EMULATED enclave platform key"] }],
    issuer: root.certificate.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey: root.keys.privateKey,
    signingAlgorithm: P256,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([purpose]),
      ...(policies.length > 0 ? [new x509.CertificatePolicyExtension(policies)] : []),
      await x509.AuthorityKeyIdentifierExtension.create(root.keys.publicKey),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certificate: certificate.toString("pem"), key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") };
}

/** SHA-256 (lower-case hex) of the platform's key that policies are to list as revoked. */
export function revokedKeyOf({ faulty }: Pick<Platform, "faulty">): string {
  const spki = new X509Certificate(faulty.revoked.certificate).publicKey.export({
    type: "spki",
    format: "der",
  });
  return createHash("sha256").update(spki).digest("hex");
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(P256, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}
