import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "./managed-object.ts";
import type { Work } from "./work.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The authority that Certify signs with: the HSM's own, made at first use. It certifies what clients ask for among
 * themselves; nothing of a deployment trusts it. RSA keys it certifies by RSA, so that whoever has one can verify it.
 */

/** It belongs to nobody: no certificate and no credential has this name. */
const NOBODY = "\u2205";
const NAME = "CN=Coffer HSM emulator CA, O=Coffer";
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: "SHA-256",
} as const;
type Algorithm = typeof P256 | typeof RSA;
const DAY = 24 * 3600 * 1000;

interface Kept extends ManagedObject {
  authority: { certificate: Bytes; privateKey: Bytes };
}

export interface CertificateOrder {
  /** SubjectPublicKeyInfo. */
  publicKey: Uint8Array;
  /** RFC 4514, or as a request has it. */
  subject: x509.Name | string;
  serialNumber: string;
  now: Date;
}

/** DER of a certificate for a year. */
export async function issueCertificate(work: Work, order: CertificateOrder): Promise<Bytes> {
  const publicKey = new x509.PublicKey(new Uint8Array(order.publicKey));
  const algorithm = publicKey.algorithm.name.startsWith("RSA") ? RSA : P256;
  const authority = await open(work, algorithm, order.now);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: order.subject instanceof x509.Name ? order.subject.toJSON() : order.subject,
    issuer: NAME,
    serialNumber: order.serialNumber,
    notBefore: new Date(order.now.getTime() - DAY),
    notAfter: new Date(order.now.getTime() + 365 * DAY),
    publicKey,
    signingKey: authority,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(false, undefined, true)],
  });
  return new Uint8Array(certificate.rawData);
}

/** A PKCS#10 request whose signature is its own key's. Throws `InvalidCSR`. */
export async function readRequest(der: Uint8Array): Promise<{ subject: x509.Name; publicKey: Bytes }> {
  try {
    const request = new x509.Pkcs10CertificateRequest(new Uint8Array(der));
    if (await request.verify())
      return { subject: request.subjectName, publicKey: new Uint8Array(request.publicKey.rawData) };
  } catch {
    // Whatever is wrong with it, it is no request.
  }
  throw new KmipError("InvalidCSR", "Not a certificate request that its key has signed");
}

const identifierOf = (algorithm: Algorithm) =>
  `${NOBODY} certificate authority${algorithm === RSA ? ", RSA" : ""}`;

async function open(work: Work, algorithm: Algorithm, now: Date): Promise<CryptoKey> {
  const kept = (work.get(identifierOf(algorithm)) as Kept | undefined) ?? (await make(work, algorithm, now));
  return crypto.subtle.importKey("pkcs8", kept.authority.privateKey, algorithm, false, ["sign"]);
}

async function make(work: Work, algorithm: Algorithm, now: Date): Promise<Kept> {
  const keys = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: NAME,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + 3650 * DAY),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const privateKey = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const kept: Kept = {
    uid: identifierOf(algorithm),
    owner: NOBODY,
    objectType: "OpaqueObject",
    attributes: { initialDate: now },
    state: "PreActive",
    authority: { certificate: new Uint8Array(certificate.rawData), privateKey },
  };
  // Somebody else may have made one meanwhile; the first stays.
  const first = work.get(identifierOf(algorithm)) as Kept | undefined;
  if (first) return first;
  work.put(kept);
  return kept;
}
