import { lowS } from "#protocol/keys/index.ts";

/**
 * ECDSA-Sig-Value (RFC 3279 §2.2.3, DER) to the raw r || s of JWS and WebCrypto (RFC 7518 §3.4). KMIP Sign answers the
 * former. With the lower of the two s that hold, so that what is signed has one text. Strict for P-256: anything else throws `TypeError`.
 */
export function derToRaw(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const raw = new Uint8Array(64);
  if (der.length < 8 || der[0] !== 0x30 || der[1] !== der.length - 2)
    throw new TypeError("not an ECDSA signature");
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1]!;
    if (der[at] !== 0x02 || !(length >= 1 && length <= 33) || at + 2 + length > der.length)
      throw new TypeError("not an ECDSA signature");
    let integer = der.subarray(at + 2, at + 2 + length);
    if (integer[0]! & 0x80) throw new TypeError("not an ECDSA signature");
    if (integer[0] === 0 && length > 1) integer = integer.subarray(1);
    if (integer.length > 32) throw new TypeError("not an ECDSA signature");
    raw.set(integer, end - integer.length);
    at += 2 + length;
  }
  if (at !== der.length) throw new TypeError("not an ECDSA signature");
  return lowS(raw);
}
