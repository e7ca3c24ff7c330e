import { X509Certificate } from "node:crypto";
import { encodeHex } from "#protocol/bytes.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import type { Value } from "#protocol/pki/der.ts";
import { readName, textOfName } from "#protocol/pki/distinguished-name.ts";
import { readCertificate } from "./certificate-fields.ts";
import { textOfGeneralName } from "./general-name.ts";
import { type SignatureAlgorithm, signatureOf } from "./signature-algorithm.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Parts of a name that 2.x has an attribute for (KMIP 2.1 §4.6 Certificate Attributes), by type. */
const PARTS = {
  "2.5.4.3": "CN",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "1.2.840.113549.1.9.1": "Email",
  "2.5.4.6": "C",
  "2.5.4.8": "ST",
  "2.5.4.7": "L",
  "0.9.2342.19200300.100.1.1": "UID",
  "2.5.4.5": "SerialNumber",
  "2.5.4.12": "Title",
  "0.9.2342.19200300.100.1.25": "DC",
  "2.5.4.46": "DNQualifier",
} as const;

/** A certificate that is one from its first byte to its last, in DER: a Certificate Value (KMIP 2.1 §2.1 Certificate). Throws `InvalidField`. */
export function parseCertificate(der: Uint8Array): X509Certificate {
  try {
    readCertificate(der);
    // OpenSSL reads PEM and BER too, and stops after the first certificate.
    const certificate = new X509Certificate(der);
    if (certificate.raw.equals(der)) return certificate;
  } catch {
    // Told below.
  }
  throw new KmipError("InvalidField", "The certificate cannot be read: it must be one certificate in DER");
}

/** What an X.509 certificate says of itself, as attributes of 1.0 (texts), 1.1 (DER) and 2.x (parts). */
export function describeCertificate(der: Uint8Array): Attributes {
  const { serialNumber, issuer, subject, signatureAlgorithm, ...names } = readCertificate(der);
  const algorithm = signatureOf(signatureAlgorithm)?.kmip;
  const subjects = names.subjectAlternativeNames;
  const issuers = names.issuerAlternativeNames;
  const derOf = (all: Value[]) => all.map(({ bytes }) => copy(bytes));
  return {
    certificateLength: der.length,
    certificateIdentifier: { issuer: textOfName(issuer), serialNumber: serialText(serialNumber) },
    certificateSubject: {
      certificateSubjectDistinguishedName: textOfName(subject),
      ...(subjects.length > 0 ? { certificateSubjectAlternativeName: subjects.map(textOfGeneralName) } : {}),
    },
    certificateIssuer: {
      certificateIssuerDistinguishedName: textOfName(issuer),
      ...(issuers.length > 0 ? { certificateIssuerAlternativeName: issuers.map(textOfGeneralName) } : {}),
    },
    x_509CertificateIdentifier: {
      issuerDistinguishedName: copy(issuer),
      // DER as well (TC-132): the INTEGER with its tag and length.
      certificateSerialNumber: copy(serialNumber.bytes),
    },
    x_509CertificateSubject: {
      subjectDistinguishedName: copy(subject),
      ...(subjects.length > 0 ? { subjectAlternativeName: derOf(subjects) } : {}),
    },
    x_509CertificateIssuer: {
      issuerDistinguishedName: copy(issuer),
      ...(issuers.length > 0 ? { issuerAlternativeName: derOf(issuers) } : {}),
    },
    ...(algorithm ? { digitalSignatureAlgorithm: [algorithm satisfies SignatureAlgorithm] } : {}),
    ...partsOf(subject, "certificateSubject"),
    ...partsOf(issuer, "certificateIssuer"),
  };
}

/** Hexadecimal of the magnitude; a minus where the number is below zero (RFC 5280 §4.1.2.2 has users cope with those). */
function serialText({ contents }: Value): string {
  const magnitude = BigInt(`0x${encodeHex(contents)}`);
  const [first = 0] = contents;
  const negative = (first & 0x80) !== 0;
  const value = negative ? (1n << BigInt(8 * contents.length)) - magnitude : magnitude;
  const hex = value.toString(16).toUpperCase();
  return `${negative ? "-" : ""}${hex.padStart(hex.length + (hex.length % 2), "0")}`;
}

function partsOf(name: Uint8Array, prefix: "certificateSubject" | "certificateIssuer"): Attributes {
  const parts: Record<string, string[]> = {};
  for (const { type, text } of readName(name).flat()) {
    const suffix = Object.hasOwn(PARTS, type) ? PARTS[type as keyof typeof PARTS] : undefined;
    if (!suffix || text === undefined) continue;
    const attribute = `${prefix}${suffix}`;
    parts[attribute] = [...(parts[attribute] ?? []), text];
  }
  return parts as Attributes;
}

function copy(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes);
}
