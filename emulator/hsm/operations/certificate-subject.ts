import { X509Certificate } from "node:crypto";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { nameOfText, nameOfValues, readName } from "#protocol/pki/distinguished-name.ts";
import { readCertificate } from "../crypto/certificate-fields.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import { certificateDer } from "../store/material.ts";

/** Attributes of 2.x that a name is made of, in the order in which its parts are usually written (KMIP 2.1 §4.6 Certificate Attributes). */
const PARTS = [
  ["certificateSubjectDC", "DC"],
  ["certificateSubjectC", "C"],
  ["certificateSubjectST", "ST"],
  ["certificateSubjectL", "L"],
  ["certificateSubjectO", "O"],
  ["certificateSubjectOU", "OU"],
  ["certificateSubjectTitle", "T"],
  ["certificateSubjectDNQualifier", "DNQUALIFIER"],
  ["certificateSubjectSerialNumber", "SERIALNUMBER"],
  ["certificateSubjectUID", "UID"],
  ["certificateSubjectEmail", "E"],
  ["certificateSubjectCN", "CN"],
] as const;

/**
 * The Name (DER) that the attributes give, in whichever form, or else that of the replaced certificate, byte for byte:
 * Re-certify changes no subject that it was not asked to (KMIP 2.1 §6.1.45).
 */
export function subjectOf(attributes: Attributes, old: ManagedObject | undefined): Uint8Array | undefined {
  const der = attributes.x_509CertificateSubject?.subjectDistinguishedName;
  if (der) return named(() => checkedName(der));
  const text = attributes.certificateSubject?.certificateSubjectDistinguishedName;
  if (text) return named(() => nameOfText(text));
  const values = PARTS.flatMap(([attribute, type]) =>
    (attributes[attribute] ?? []).map((value) => [type, value] as const),
  );
  if (values.length > 0) return named(() => nameOfValues(values));
  // By way of OpenSSL: certificates that were registered in PEM before that was refused are still here.
  return old && named(() => readCertificate(new X509Certificate(certificateDer(old)).raw).subject);
}

function checkedName(der: Uint8Array): Uint8Array {
  readName(der);
  return der;
}

function named(read: () => Uint8Array): Uint8Array {
  try {
    return read();
  } catch {
    throw new KmipError("InvalidAttributeValue", "The subject is not a Distinguished Name (RFC 4514)");
  }
}
