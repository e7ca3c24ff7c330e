import { lowS } from "#protocol/keys/index.ts";
import { DerReader, INTEGER, SEQUENCE } from "#protocol/pki/der.ts";

/**
 * ECDSA-Sig-Value (RFC 3279 §2.2.3, DER) to the raw r || s of JWS and WebCrypto (RFC 7518 §3.4). KMIP Sign answers the
 * former. With the lower of the two s that hold, so that what is signed has one text. Strict for P-256: anything else throws `TypeError`.
 */
export function derToRaw(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const raw = new Uint8Array(64);
  const outer = new DerReader(der);
  const numbers = outer.enter(SEQUENCE);
  outer.end();
  for (const end of [32, 64]) {
    const { contents } = numbers.read(INTEGER);
    const [first = 0x80] = contents;
    const integer = first === 0 && contents.length > 1 ? contents.subarray(1) : contents;
    if (first & 0x80 || integer.length > 32) throw new TypeError("not an ECDSA signature");
    raw.set(integer, end - integer.length);
  }
  numbers.end();
  return lowS(raw);
}
