import "reflect-metadata";
import { createHash, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { Level } from "#protocol/level.ts";
import { instanceLevel, parseCertificate } from "#protocol/pki/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { certificateDer } from "../store/material.ts";

/**
 * What certificates say, read once: a recipient's is looked at whenever a key is wrapped, and reading it takes longer than all else.
 * What is kept follows from the bytes alone; states, dates and who is marked as an authority are asked each time.
 */

/** Of the critical extensions we process these; an unknown one refuses the certificate (RFC 5280 §4.2). */
const PROCESSED: ReadonlySet<string> = new Set(["2.5.29.15", "2.5.29.19"]);

export interface ReadCertificate {
  certificate: X509Certificate;
  /** SHA-256 of its DER, base64. */
  digest: string;
  /** By its constraint: OpenSSL calls nothing an authority that lacks keyCertSign. */
  saysAuthority: boolean;
  usages: number;
  /** Organizations of its subject. */
  organizations: readonly string[];
  /** That it names; undefined for what cannot be read as an instance's certificate. */
  level: Level | undefined;
  /** Whether nothing in it that is critical is unknown here. */
  isProcessed: boolean;
  /** How many authorities may follow below. */
  pathLength: number;
}

/** Certificates, subjects, and signatures of some by others. The oldest goes first. */
const MAX_KEPT = 2048;
const read = new Map<string, ReadCertificate>();
/** The same by the bytes where they are in memory: of an object that is only looked at these are always the same. */
const readings = new WeakMap<Uint8Array, ReadCertificate>();
const subjects = new Map<string, ReturnType<typeof readSubject>>();
const signed = new Map<string, boolean>();

/** Throws what node:crypto throws for what is none. */
export function readCertificate(object: ManagedObject): ReadCertificate {
  const der = certificateDer(object);
  const known = readings.get(der);
  if (known) return known;
  const digest = createHash("sha256").update(der).digest("base64");
  const reading = kept(read, digest, () => {
    const parsed = new x509.X509Certificate(new Uint8Array(der));
    const constraints = parsed.getExtension(x509.BasicConstraintsExtension);
    return {
      certificate: new X509Certificate(der),
      digest,
      saysAuthority: constraints?.ca ?? false,
      usages: parsed.getExtension(x509.KeyUsagesExtension)?.usages ?? 0,
      organizations: parsed.subjectName.getField("O"),
      level: levelOf(der),
      isProcessed: parsed.extensions.every(({ critical, type }) => !critical || PROCESSED.has(type)),
      pathLength: constraints?.pathLength ?? Number.POSITIVE_INFINITY,
    };
  });
  readings.set(der, reading);
  return reading;
}

/** Its subject and its public key (SubjectPublicKeyInfo), by the reader of ASN.1 alone: what OpenSSL refuses is told too. Throws what that throws for what is none. */
export function readSubject(object: ManagedObject): { spki: Buffer; subject: x509.Name } {
  const der = certificateDer(object);
  return kept(subjects, createHash("sha256").update(der).digest("base64"), () => {
    const { publicKey, subjectName } = new x509.X509Certificate(new Uint8Array(der));
    return { spki: Buffer.from(publicKey.rawData), subject: subjectName };
  });
}

/** Whether the one has issued the other: by names, key identifiers and the issuer's keyCertSign, and by the signature. */
export function hasIssued(issuer: ReadCertificate, subject: ReadCertificate): boolean {
  return kept(signed, `${issuer.digest} ${subject.digest}`, () => {
    const { certificate } = subject;
    return certificate.checkIssued(issuer.certificate) && certificate.verify(issuer.certificate.publicKey);
  });
}

function levelOf(der: Uint8Array): Level | undefined {
  try {
    return instanceLevel(parseCertificate(new Uint8Array(der)));
  } catch {
    return undefined;
  }
}

function kept<T>(all: Map<string, T>, key: string, make: () => T): T {
  const found = all.get(key);
  const value = found ?? make();
  all.delete(key);
  all.set(key, value);
  const [oldest] = all.keys();
  if (all.size > MAX_KEPT && oldest !== undefined) all.delete(oldest);
  return value;
}
