/** ECDSA signatures in their two forms: r || s (WebCrypto, JOSE, COSE) and DER (X.509, RFC 3279 §2.2.3). */
import { DerReader, encode, INTEGER, SEQUENCE, unsignedInteger } from "./der.ts";

/** How the certificates of one path are signed. */
export type SignatureKind = {
  /** AlgorithmIdentifier, DER in hexadecimal. */
  identifier: string;
  /** For WebCrypto. */
  algorithm: { name: "ECDSA"; namedCurve: string; hash: string };
  /** Bytes of r and of s. */
  half: number;
};

/** ECDSA with SHA-256, no parameters (RFC 5758 §3.2). */
export const ECDSA_P256: SignatureKind = {
  identifier: "300a06082a8648ce3d040302",
  algorithm: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  half: 32,
};

/** ECDSA with SHA-384, no parameters (RFC 5758 §3.2). */
export const ECDSA_P384: SignatureKind = {
  identifier: "300a06082a8648ce3d040303",
  algorithm: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  half: 48,
};

/** DER of a signature of 64 bytes. */
export function signatureToDer(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  if (raw.length !== 64) throw new TypeError("not a P-256 signature");
  return encode(SEQUENCE, unsignedInteger(raw.subarray(0, 32)), unsignedInteger(raw.subarray(32)));
}

/** r || s of a DER signature, each of `half` bytes; throws `TypeError` for anything else. */
export function signatureFromDer(der: Uint8Array, half = 32): Uint8Array<ArrayBuffer> {
  const outer = new DerReader(der);
  const pair = outer.enter(SEQUENCE);
  outer.end();
  const raw = new Uint8Array(2 * half);
  for (const end of [half, 2 * half]) {
    const { contents } = pair.read(INTEGER);
    const [first, second] = contents;
    const padded = first === 0 && second !== undefined;
    if (padded ? second < 0x80 : first === undefined || first >= 0x80) throw new TypeError("not DER");
    const magnitude = padded ? contents.subarray(1) : contents;
    if (magnitude.length > half) throw new TypeError("not a signature of this curve");
    raw.set(magnitude, end - magnitude.length);
  }
  pair.end();
  return raw;
}
