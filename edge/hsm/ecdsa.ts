import { lowS } from "#protocol/keys/index.ts";
import { DerReader, INTEGER, SEQUENCE } from "#protocol/pki/der.ts";

/**
 * ECDSA-Sig-Value (RFC 3279 §2.2.3, DER) to the raw r || s of JWS and WebCrypto (RFC 7518 §3.4). KMIP Sign answers the
 * former. On P-256 with the lower of the two s that hold, so that what is signed has one text. `length`: bytes of the curve's order. Strict:
 * anything else throws `TypeError`.
 */
export function derToRaw(der: Uint8Array, length: 32 | 48 = 32): Uint8Array<ArrayBuffer> {
  const raw = new Uint8Array(2 * length);
  const outer = new DerReader(der);
  const numbers = outer.enter(SEQUENCE);
  outer.end();
  for (const end of [length, 2 * length]) {
    const { contents } = numbers.read(INTEGER);
    const [first = 0x80] = contents;
    const integer = first === 0 && contents.length > 1 ? contents.subarray(1) : contents;
    if (first & 0x80 || integer.length > length) throw new TypeError("not an ECDSA signature");
    raw.set(integer, end - integer.length);
  }
  numbers.end();
  return length === 32 ? lowS(raw) : raw;
}
