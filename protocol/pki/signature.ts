/** ECDSA signatures of P-256 in their two forms: 64 bytes r || s (WebCrypto, JOSE) and DER (X.509, RFC 3279 §2.2.3). */
import { DerReader, encode, INTEGER, SEQUENCE, unsignedInteger } from "./der.ts";

/** DER of a signature of 64 bytes. */
export function signatureToDer(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  if (raw.length !== 64) throw new TypeError("not a P-256 signature");
  return encode(SEQUENCE, unsignedInteger(raw.subarray(0, 32)), unsignedInteger(raw.subarray(32)));
}

/** 64 bytes of a DER signature; throws `TypeError` for anything else. */
export function signatureFromDer(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const outer = new DerReader(der);
  const pair = outer.enter(SEQUENCE);
  outer.end();
  const raw = new Uint8Array(64);
  for (const end of [32, 64]) {
    const { contents } = pair.read(INTEGER);
    const [first, second] = contents;
    const padded = first === 0 && second !== undefined;
    if (padded ? second < 0x80 : first === undefined || first >= 0x80) throw new TypeError("not DER");
    const magnitude = padded ? contents.subarray(1) : contents;
    if (magnitude.length > 32) throw new TypeError("not a P-256 signature");
    raw.set(magnitude, end - magnitude.length);
  }
  pair.end();
  return raw;
}
