/** Certificate revocation lists of version 2 (RFC 5280 §5): what an authority has signed, and a strict reader of it. */
import { encodeHex, utf8 } from "../bytes.ts";
import { time } from "./certificate.ts";
import {
  BIT_STRING,
  BOOLEAN,
  CONTEXT,
  DerReader,
  encode,
  GENERALIZED_TIME,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  objectIdentifier,
  SEQUENCE,
  UTC_TIME,
  unsignedInteger,
} from "./der.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Reasons that are given here (CRLReason, RFC 5280 §5.3.1). */
export const REASON = { superseded: 4, cessationOfOperation: 5, privilegeWithdrawn: 9 } as const;
export type Reason = (typeof REASON)[keyof typeof REASON];

/** A certificate that is revoked. `serial`: hexadecimal; `at`: seconds since 1970. */
export type RevokedCertificate = { serial: string; at: number; reason: Reason };

export type RevocationList = {
  /** DER of the authority's name. */
  issuer: Uint8Array;
  /** Key identifier of the authority's key. */
  keyIdentifier: Uint8Array;
  /** Grows with each list. */
  number: number;
  /** Seconds since 1970. */
  thisUpdate: number;
  nextUpdate: number;
  revoked: readonly RevokedCertificate[];
  /** Address that the certificates name which this list is about: all of them, and no others. */
  distributionPoint: string;
};

// Pure, so that a bundle that makes and reads no list has nothing of them.
const ECDSA_WITH_SHA256 = /* @__PURE__ */ encode(
  SEQUENCE,
  /* @__PURE__ */ objectIdentifier("1.2.840.10045.4.3.2"),
);
const AUTHORITY_KEY_IDENTIFIER = /* @__PURE__ */ objectIdentifier("2.5.29.35");
const CRL_NUMBER = /* @__PURE__ */ objectIdentifier("2.5.29.20");
const REASON_CODE = /* @__PURE__ */ objectIdentifier("2.5.29.21");
const ISSUING_DISTRIBUTION_POINT = /* @__PURE__ */ objectIdentifier("2.5.29.28");
const TRUE = /* @__PURE__ */ encode(BOOLEAN, /* @__PURE__ */ Uint8Array.of(0xff));
const ENUMERATED = 0x0a;
/** uniformResourceIdentifier of a GeneralName. */
const URI = 0x86;

/** TBSCertList: what is to be signed. */
export function revocationListToSign(list: RevocationList): Bytes {
  const { issuer, keyIdentifier, number, thisUpdate, nextUpdate, revoked, distributionPoint } = list;
  const point = encode(CONTEXT, encode(CONTEXT, encode(URI, utf8(distributionPoint))));
  const octets = Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
  const extensions = [
    extension(AUTHORITY_KEY_IDENTIFIER, encode(SEQUENCE, encode(0x80, keyIdentifier))),
    extension(CRL_NUMBER, unsignedInteger(octets)),
    extension(ISSUING_DISTRIBUTION_POINT, encode(SEQUENCE, point), true),
  ];
  return encode(
    SEQUENCE,
    encode(INTEGER, Uint8Array.of(1)),
    ECDSA_WITH_SHA256,
    issuer,
    timeOf(thisUpdate),
    timeOf(nextUpdate),
    // An empty list of them is left out (RFC 5280 §5.1.2.6).
    ...(revoked.length === 0 ? [] : [encode(SEQUENCE, ...revoked.map(entry))]),
    encode(CONTEXT, encode(SEQUENCE, ...extensions)),
  );
}

/** CertificateList; `signature` is DER. */
export function signedRevocationList(toSign: Uint8Array, signature: Uint8Array): Bytes {
  return encode(SEQUENCE, toSign, ECDSA_WITH_SHA256, encode(BIT_STRING, Uint8Array.of(0), signature));
}

function entry({ serial, at, reason }: RevokedCertificate): Bytes {
  const octets = serial.match(/../g) ?? [];
  return encode(
    SEQUENCE,
    unsignedInteger(Uint8Array.from(octets, (octet) => Number.parseInt(octet, 16))),
    timeOf(at),
    encode(SEQUENCE, extension(REASON_CODE, encode(ENUMERATED, Uint8Array.of(reason)))),
  );
}

function extension(id: Uint8Array, value: Uint8Array, critical = false): Bytes {
  return encode(SEQUENCE, id, ...(critical ? [TRUE] : []), encode(OCTET_STRING, value));
}

/** UTCTime up to 2049, and GeneralizedTime from 2050 on (RFC 5280 §5.1.2.4). */
function timeOf(seconds: number): Bytes {
  const text = new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return text < "2050" ? encode(UTC_TIME, utf8(text.slice(2))) : encode(GENERALIZED_TIME, utf8(text));
}

/** What `revocationListToSign` writes, read back. */
export type RevocationListToSign = {
  /** DER. */
  issuer: Bytes;
  /** Milliseconds since 1970. */
  thisUpdate: number;
  nextUpdate: number;
  /** How many are revoked. */
  revoked: number;
};

/**
 * Reads a TBSCertList of version 2 for ECDSA with SHA-256 that has exactly the three extensions that are written here: so no delta, no indirect list,
 * none for some reasons alone. Throws `TypeError` for anything else.
 */
export function readRevocationListToSign(der: Uint8Array): RevocationListToSign {
  const outer = new DerReader(der);
  const fields = outer.enter(SEQUENCE);
  outer.end();
  if (encodeHex(fields.read(INTEGER).contents) !== "01") throw new TypeError("not version 2");
  same(fields.read(SEQUENCE).bytes, ECDSA_WITH_SHA256);
  const issuer = fields.read(SEQUENCE).bytes.slice();
  const thisUpdate = time(fields.read());
  const nextUpdate = time(fields.read());
  let revoked = 0;
  if (fields.tag === SEQUENCE) {
    const entries = fields.enter(SEQUENCE);
    for (; !entries.done; revoked++) readEntry(entries.enter(SEQUENCE));
    if (revoked === 0) throw new TypeError("an empty list of entries");
  }
  const explicit = fields.enter(CONTEXT);
  fields.end();
  const extensions = explicit.enter(SEQUENCE);
  explicit.end();
  extensionValue(extensions, AUTHORITY_KEY_IDENTIFIER).enter(SEQUENCE);
  extensionValue(extensions, CRL_NUMBER).read(INTEGER);
  const point = extensionValue(extensions, ISSUING_DISTRIBUTION_POINT, true).enter(SEQUENCE);
  point.read(CONTEXT);
  point.end();
  extensions.end();
  return { issuer, thisUpdate, nextUpdate, revoked };
}

function readEntry(fields: DerReader): void {
  fields.read(INTEGER);
  time(fields.read());
  const extensions = fields.enter(SEQUENCE);
  fields.end();
  extensionValue(extensions, REASON_CODE).read(ENUMERATED);
  extensions.end();
}

/** The value of the next extension, which must be this one. */
function extensionValue(extensions: DerReader, id: Uint8Array, critical = false): DerReader {
  const fields = extensions.enter(SEQUENCE);
  same(fields.read(OBJECT_IDENTIFIER).bytes, id);
  if (critical) same(fields.read(BOOLEAN).bytes, TRUE);
  const value = fields.read(OCTET_STRING).contents;
  fields.end();
  return new DerReader(value);
}

function same(bytes: Uint8Array, expected: Uint8Array): void {
  if (encodeHex(bytes) !== encodeHex(expected)) throw new TypeError("not a list of this form");
}
