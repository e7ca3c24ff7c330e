/** As much of X.509 (RFC 5280) as an instance needs to check certificates that were issued to it. */
import { encodeHex } from "../bytes.ts";
import { instant } from "../clock.ts";
import {
  BIT_STRING,
  CONTEXT,
  DerReader,
  GENERALIZED_TIME,
  INTEGER,
  SEQUENCE,
  UTC_TIME,
  type Value,
} from "./der.ts";
import { type Extensions, readExtensions } from "./extensions.ts";
import { ECDSA_P256, type SignatureKind } from "./signature.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export type Certificate = Extensions & {
  /** DER of issuer and subject names, to compare byte for byte. */
  issuer: Bytes;
  subject: Bytes;
  /** Milliseconds since 1970. */
  notBefore: number;
  notAfter: number;
  /** SubjectPublicKeyInfo, DER. */
  spki: Bytes;
  /** What the issuer signed, and its signature (DER of ECDSA). */
  signed: Bytes;
  signature: Bytes;
};

/**
 * Parses a certificate of version 3, signed with ECDSA and SHA-256 or the given kind. Throws `TypeError` for anything
 * else, and for a critical extension that is not known here.
 */
export function parseCertificate(der: Uint8Array, kind: SignatureKind = ECDSA_P256): Certificate {
  const outer = new DerReader(der);
  const certificate = outer.enter(SEQUENCE);
  outer.end();
  const signed = certificate.read(SEQUENCE);
  const algorithm = encodeHex(certificate.read(SEQUENCE).bytes);
  const bits = certificate.read(BIT_STRING).contents;
  certificate.end();
  if (bits[0] !== 0) throw new TypeError("signature is not whole bytes");

  const fields = new DerReader(signed.contents);
  const version = encodeHex(fields.read(CONTEXT).contents);
  fields.read(INTEGER);
  // What was signed names the algorithm too, and the two must agree (RFC 5280 §4.1.1.2).
  if (algorithm !== kind.identifier || encodeHex(fields.read(SEQUENCE).bytes) !== algorithm)
    throw new TypeError("another signature algorithm");
  if (version !== "020102") throw new TypeError("not version 3");
  const issuer = fields.read(SEQUENCE);
  const validity = fields.enter(SEQUENCE);
  const notBefore = time(validity.read());
  const notAfter = time(validity.read());
  validity.end();
  const subject = fields.read(SEQUENCE);
  const spki = fields.read(SEQUENCE);
  return {
    ...readExtensions(fields),
    issuer: issuer.bytes.slice(),
    subject: subject.bytes.slice(),
    notBefore,
    notAfter,
    spki: spki.bytes.slice(),
    signed: signed.bytes.slice(),
    signature: bits.slice(1),
  };
}

/**
 * SubjectPublicKeyInfo (DER) of a certificate that is signed with whatever algorithm. Nothing of it is verified: for one that somebody
 * trusts anyway. Throws `TypeError` for what has none.
 */
export function certifiedKey(der: Uint8Array): Bytes {
  const fields = new DerReader(der).enter(SEQUENCE).enter(SEQUENCE);
  if (fields.tag === CONTEXT) fields.read(CONTEXT);
  fields.read(INTEGER);
  for (const _ of ["signature", "issuer", "validity", "subject"]) fields.read(SEQUENCE);
  return fields.read(SEQUENCE).bytes.slice();
}

/**
 * UTCTime (years 1950 to 2049) or GeneralizedTime, both to the second and in Z (RFC 5280 §4.1.2.5). Throws `TypeError`
 * for anything else, and for a moment that does not exist.
 */
export function time({ tag, contents }: Value): number {
  const text = String.fromCharCode(...contents);
  const pattern = tag === UTC_TIME ? /^\d{12}Z$/ : tag === GENERALIZED_TIME ? /^\d{14}Z$/ : null;
  if (!pattern?.test(text)) throw new TypeError("not a time");
  const year =
    tag === UTC_TIME ? (Number(text.slice(0, 2)) < 50 ? "20" : "19") + text.slice(0, 2) : text.slice(0, 4);
  const [month, day, hour, minute, second] = text.slice(tag === UTC_TIME ? 2 : 4).match(/\d\d/g) ?? [];
  return instant(`${year}-${month}-${day}`, `${hour}:${minute}:${second}`);
}
