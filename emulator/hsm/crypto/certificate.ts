import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { Attributes } from "#protocol/kmip/index.ts";
import { unsigned } from "./der.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Parts of a name that 2.x has an attribute for (KMIP 2.1 §4.9). */
const PARTS = {
  CN: "CN",
  O: "O",
  OU: "OU",
  E: "Email",
  C: "C",
  ST: "ST",
  L: "L",
  DC: "DC",
  T: "Title",
} as const;

/** What an X.509 certificate says of itself, as attributes of 1.0 (texts), 1.1 (DER) and 2.x (parts). */
export function describeCertificate(der: Uint8Array): Attributes {
  const certificate = new x509.X509Certificate(new Uint8Array(der));
  const { subjectName, issuerName, serialNumber } = certificate;
  const [subject, issuer] = [derOf(subjectName), derOf(issuerName)];
  const algorithm = signatureAlgorithm(certificate.signatureAlgorithm);
  return {
    certificateLength: der.length,
    certificateIdentifier: { issuer: textOf(issuerName), serialNumber: serialNumber.toUpperCase() },
    certificateSubject: { certificateSubjectDistinguishedName: textOf(subjectName) },
    certificateIssuer: { certificateIssuerDistinguishedName: textOf(issuerName) },
    x_509CertificateIdentifier: {
      issuerDistinguishedName: issuer,
      // DER as well (TC-132): the INTEGER with its tag and length.
      certificateSerialNumber: unsigned(BigInt(`0x${serialNumber}`)),
    },
    x_509CertificateSubject: { subjectDistinguishedName: subject },
    x_509CertificateIssuer: { issuerDistinguishedName: issuer },
    ...(algorithm ? { digitalSignatureAlgorithm: [algorithm] } : {}),
    ...partsOf(subjectName, "certificateSubject"),
    ...partsOf(issuerName, "certificateIssuer"),
  };
}

function derOf(name: x509.Name): Bytes {
  return new Uint8Array(name.toArrayBuffer());
}

/** RFC 4514 without spaces: the last part of the name comes first. */
function textOf(name: x509.Name): string {
  return name
    .toJSON()
    .flatMap((part) =>
      Object.entries(part).flatMap(([type, values]) => values.map((value) => `${type}=${value}`)),
    )
    .reverse()
    .join(",");
}

function partsOf(name: x509.Name, prefix: "certificateSubject" | "certificateIssuer"): Attributes {
  const parts = Object.entries(PARTS)
    .map(([type, suffix]) => [`${prefix}${suffix}`, name.getField(type)] as const)
    .filter(([, values]) => values.length > 0);
  return Object.fromEntries(parts) as Attributes;
}

type SignatureAlgorithm = NonNullable<Attributes["digitalSignatureAlgorithm"]>[number];

function signatureAlgorithm(algorithm: { name: string; hash?: unknown }): SignatureAlgorithm | undefined {
  const hash = (algorithm.hash as { name?: string } | undefined)?.name ?? "";
  return SIGNATURES[`${algorithm.name} ${hash}`];
}

const SIGNATURES: Readonly<Record<string, SignatureAlgorithm>> = {
  "RSASSA-PKCS1-v1_5 SHA-1": "SHA_1WithRSAEncryption",
  "RSASSA-PKCS1-v1_5 SHA-256": "SHA_256WithRSAEncryption",
  "RSASSA-PKCS1-v1_5 SHA-384": "SHA_384WithRSAEncryption",
  "RSASSA-PKCS1-v1_5 SHA-512": "SHA_512WithRSAEncryption",
  "ECDSA SHA-1": "ECDSAWithSHA_1",
  "ECDSA SHA-256": "ECDSAWithSHA256",
  "ECDSA SHA-384": "ECDSAWithSHA384",
  "ECDSA SHA-512": "ECDSAWithSHA512",
};
