/** As much of X.509 (RFC 5280) as an instance needs to check certificates that were issued to it. */
import { equalConstantTime } from "../bytes.ts";
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
import { signatureFromDer } from "./signature.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export type Certificate = {
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

/** Parses a certificate; throws `TypeError` for anything that is no DER certificate. Extensions are not looked at. */
export function parseCertificate(der: Uint8Array): Certificate {
  const outer = new DerReader(der);
  const certificate = outer.enter(SEQUENCE);
  outer.end();
  const signed = certificate.read(SEQUENCE);
  certificate.read(SEQUENCE);
  const bits = certificate.read(BIT_STRING).contents;
  certificate.end();
  if (bits[0] !== 0) throw new TypeError("signature is not whole bytes");

  const fields = new DerReader(signed.contents);
  fields.read(CONTEXT); // version 3: extensions make no sense without it
  fields.read(INTEGER);
  fields.read(SEQUENCE);
  const issuer = fields.read(SEQUENCE);
  const validity = fields.enter(SEQUENCE);
  const notBefore = time(validity.read());
  const notAfter = time(validity.read());
  validity.end();
  const subject = fields.read(SEQUENCE);
  const spki = fields.read(SEQUENCE);
  return {
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
 * Verifies that `chain` (leaf first) leads to the root whose SPKI is pinned, each link signed with ECDSA P-256 and
 * SHA-256 by the next and valid at `now` (milliseconds). The last certificate must hold the pinned key. Throws `TypeError`.
 */
export async function verifyChain(
  subtle: Pick<SubtleCrypto, "importKey" | "verify">,
  chain: Certificate[],
  rootSpki: Uint8Array,
  now: number,
): Promise<void> {
  const root = chain.at(-1);
  if (!root || chain.length > 4 || !equalConstantTime(root.spki, rootSpki))
    throw new TypeError("another root");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  for (const [i, certificate] of chain.entries()) {
    const issuer = chain[i + 1] ?? root;
    if (!equalConstantTime(certificate.issuer, issuer.subject)) throw new TypeError("another issuer");
    if (now < certificate.notBefore || now > certificate.notAfter)
      throw new TypeError("certificate is not valid now");
    const key = await subtle.importKey("spki", issuer.spki, algorithm, true, ["verify"]);
    const signature = signatureFromDer(certificate.signature);
    if (!(await subtle.verify(algorithm, key, signature, certificate.signed)))
      throw new TypeError("bad signature");
  }
}

/** UTCTime (years 1950 to 2049) or GeneralizedTime, both to the second and in Z (RFC 5280 §4.1.2.5). */
function time({ tag, contents }: Value): number {
  const text = String.fromCharCode(...contents);
  const pattern = tag === UTC_TIME ? /^\d{12}Z$/ : tag === GENERALIZED_TIME ? /^\d{14}Z$/ : null;
  if (!pattern?.test(text)) throw new TypeError("not a time");
  const year =
    tag === UTC_TIME ? (Number(text.slice(0, 2)) < 50 ? "20" : "19") + text.slice(0, 2) : text.slice(0, 4);
  const [month, day, hour, minute, second] = text.slice(tag === UTC_TIME ? 2 : 4).match(/\d\d/g)!;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
