import { encodeHex } from "#protocol/bytes.ts";
import {
  BIT_STRING,
  BOOLEAN,
  CONTEXT,
  DerReader,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  SEQUENCE,
  type Value,
} from "#protocol/pki/der.ts";

/** The fields of an X.509 certificate (RFC 5280 §4.1) as they stand in it, each in its own bytes. */
export interface CertificateFields {
  /** INTEGER, with tag and length. */
  serialNumber: Value;
  /** Names, DER. */
  issuer: Uint8Array;
  subject: Uint8Array;
  signatureAlgorithm: Uint8Array;
  /** GeneralNames of the alternative names, each with its tag. */
  subjectAlternativeNames: Value[];
  issuerAlternativeNames: Value[];
}

const CONSTRUCTED = 0x20;
const SUBJECT_ALTERNATIVE_NAME = "0603551d11";
const ISSUER_ALTERNATIVE_NAME = "0603551d12";
/** Nothing in a certificate is nested so deeply. */
const MAX_NESTED = 32;

/** Reads them; throws `TypeError` for what is not DER from its first byte to its last: PEM, BER, trailing bytes. */
export function readCertificate(der: Uint8Array): CertificateFields {
  checkDer(der, MAX_NESTED);
  const outer = new DerReader(der);
  const certificate = outer.enter(SEQUENCE);
  outer.end();
  const fields = certificate.enter(SEQUENCE);
  const signatureAlgorithm = certificate.read(SEQUENCE).bytes;
  certificate.read(BIT_STRING);
  certificate.end();
  if (fields.tag === CONTEXT) fields.read();
  const serialNumber = fields.read(INTEGER);
  fields.read(SEQUENCE);
  const issuer = fields.read(SEQUENCE).bytes;
  fields.read(SEQUENCE);
  const subject = fields.read(SEQUENCE).bytes;
  fields.read(SEQUENCE);
  const read: CertificateFields = {
    serialNumber,
    issuer,
    subject,
    signatureAlgorithm,
    subjectAlternativeNames: [],
    issuerAlternativeNames: [],
  };
  while (!fields.done && fields.tag !== (CONTEXT | 3)) fields.read();
  if (!fields.done) readExtensions(fields.enter(CONTEXT | 3).enter(SEQUENCE), read);
  return read;
}

function readExtensions(extensions: DerReader, into: CertificateFields): void {
  while (!extensions.done) {
    const extension = extensions.enter(SEQUENCE);
    const id = encodeHex(extension.read(OBJECT_IDENTIFIER).bytes);
    if (extension.tag === BOOLEAN) extension.read();
    const { contents } = extension.read(OCTET_STRING);
    if (id === SUBJECT_ALTERNATIVE_NAME) into.subjectAlternativeNames.push(...generalNames(contents));
    if (id === ISSUER_ALTERNATIVE_NAME) into.issuerAlternativeNames.push(...generalNames(contents));
  }
}

function generalNames(der: Uint8Array): Value[] {
  checkDer(der, MAX_NESTED);
  const names = new DerReader(der).enter(SEQUENCE);
  const read: Value[] = [];
  while (!names.done) read.push(names.read());
  return read;
}

/** Every length definite and shortest, down to the primitive values, and nothing after the first value. */
function checkDer(bytes: Uint8Array, depth: number): void {
  const outer = new DerReader(bytes);
  checkValue(outer.read(), depth);
  outer.end();
}

function checkValue({ tag, contents }: Value, depth: number): void {
  if ((tag & CONSTRUCTED) === 0) return;
  if (depth === 0) throw new TypeError("nested too deeply");
  const parts = new DerReader(contents);
  while (!parts.done) checkValue(parts.read(), depth - 1);
}
