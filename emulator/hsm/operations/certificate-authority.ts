import { createPublicKey, X509Certificate } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { decodeHex, utf8 } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import {
  BIT_STRING,
  BOOLEAN,
  CONTEXT,
  encode,
  GENERALIZED_TIME,
  INTEGER,
  OCTET_STRING,
  objectIdentifier,
  SEQUENCE,
  UTC_TIME,
  unsignedInteger,
} from "#protocol/pki/der.ts";
import { signatureToDer } from "#protocol/pki/signature.ts";
import { readCertificate } from "../crypto/certificate-fields.ts";
import { type CertificateRequest, readCertificateRequest } from "../crypto/certificate-request.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The authority that Certify signs with: the HSM's own, made at first use. It certifies what clients ask for among
 * themselves; nothing of a deployment trusts it. RSA keys it certifies by RSA, so that anyone who has one can verify it.
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
  /** A Name in DER, which stands in the certificate as it is. */
  subject: Uint8Array;
  serialNumber: string;
  now: Date;
}

/** DER of a certificate for a year (RFC 5280 §4.1), written here, so that no library reads the subject and writes another. */
export async function issueCertificate(work: Work, order: CertificateOrder): Promise<Bytes> {
  const key = createPublicKey({ key: Buffer.from(order.publicKey), format: "der", type: "spki" });
  const algorithm = key.asymmetricKeyType?.startsWith("rsa") ? RSA : P256;
  const authority = await open(work, algorithm, order.now);
  const version = encode(CONTEXT, encode(INTEGER, Uint8Array.of(2)));
  const signed = encode(
    SEQUENCE,
    version,
    unsignedInteger(decodeHex(order.serialNumber)),
    IDENTIFIERS[algorithm.name],
    readCertificate(authority.certificate).subject,
    encode(SEQUENCE, time(order.now.getTime() - DAY), time(order.now.getTime() + 365 * DAY)),
    order.subject,
    order.publicKey,
    encode(CONTEXT | 3, encode(SEQUENCE, NO_AUTHORITY)),
  );
  const made = new Uint8Array(await crypto.subtle.sign(algorithm, authority.key, signed));
  const signature = algorithm === P256 ? signatureToDer(made) : made;
  const certificate = encode(
    SEQUENCE,
    signed,
    IDENTIFIERS[algorithm.name],
    encode(BIT_STRING, new Uint8Array(1), signature),
  );
  try {
    // What cannot be read again is issued to nobody: OpenSSL has names of strings only.
    new X509Certificate(certificate);
  } catch {
    throw new KmipError("InvalidField", "No certificate can have this subject");
  }
  return certificate;
}

/** AlgorithmIdentifiers (RFC 4055 §5: RSA has NULL as its parameters; RFC 5758 §3.2: ECDSA has none). */
const IDENTIFIERS = {
  ECDSA: encode(SEQUENCE, objectIdentifier("1.2.840.10045.4.3.2")),
  "RSASSA-PKCS1-v1_5": encode(SEQUENCE, objectIdentifier("1.2.840.113549.1.1.11"), encode(0x05)),
};

/** basicConstraints, critical, of an end entity. */
const NO_AUTHORITY = encode(
  SEQUENCE,
  objectIdentifier("2.5.29.19"),
  encode(BOOLEAN, Uint8Array.of(0xff)),
  encode(OCTET_STRING, encode(SEQUENCE)),
);

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). */
function time(milliseconds: number): Bytes {
  const text = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d{3}/g, "");
  return text < "2050" ? encode(UTC_TIME, utf8(text.slice(2))) : encode(GENERALIZED_TIME, utf8(text));
}

/** A PKCS#10 request whose signature is its own key's. Throws `InvalidCSR`. */
export function readRequest(der: Uint8Array): CertificateRequest {
  try {
    return readCertificateRequest(der);
  } catch {
    // Whatever is wrong with it, it is no request.
    throw new KmipError("InvalidCSR", "Not a certificate request that its key has signed");
  }
}

const identifierOf = (algorithm: Algorithm) =>
  `${NOBODY} certificate authority${algorithm === RSA ? ", RSA" : ""}`;

async function open(
  work: Work,
  algorithm: Algorithm,
  now: Date,
): Promise<{ key: CryptoKey; certificate: Bytes }> {
  const { authority } =
    (work.get(identifierOf(algorithm)) as Kept | undefined) ?? (await make(work, algorithm, now));
  const key = await crypto.subtle.importKey("pkcs8", authority.privateKey, algorithm, false, ["sign"]);
  return { key, certificate: authority.certificate };
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
