/**
 * An ECDSA signature (r, s) holds as (r, n − s) too, so a signed text has two forms without a change to what it says. What
 * we sign has the lower s; where a text is a key or is digested, it is brought to that form first.
 */

import { decodeBase64url, encodeBase64url } from "../base64url.ts";
import { concat, decodeHex, encodeHex } from "../bytes.ts";
import { digest } from "../digest.ts";

/** Order n of the base point of P-256 (SEC 2 §2.4.2). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** r || s (64 bytes) with the lower of s and n − s. What is no signature stays as it is. */
export function lowS(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const s = scalar(signature);
  return s !== undefined && s > ORDER / 2n ? withS(signature, ORDER - s) : new Uint8Array(signature);
}

/** A compact JWS with the lower s of its signature. What is no JWS of ES256 stays as it is. */
export function canonicalJws(token: string): string {
  return withSignature(token, lowS);
}

/** Base64url SHA-256 of an EDK (compact JWS): of its form with the lower s, by which it is known, and of the other form. */
export async function edkDigests(token: string): Promise<[string, string]> {
  const canonical = canonicalJws(token);
  return [await digest(canonical), await digest(withSignature(canonical, otherS))];
}

function otherS(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const s = scalar(signature);
  return s === undefined ? new Uint8Array(signature) : withS(signature, ORDER - s);
}

function withSignature(token: string, change: (signature: Uint8Array) => Uint8Array): string {
  const at = token.lastIndexOf(".") + 1;
  // 64 bytes are 86 characters.
  if (at === 0 || token.length - at !== 86) return token;
  try {
    return token.slice(0, at) + encodeBase64url(change(decodeBase64url(token.slice(at))));
  } catch {
    return token;
  }
}

/** s, where it can be one. */
function scalar(signature: Uint8Array): bigint | undefined {
  if (signature.length !== 64) return undefined;
  const s = BigInt(`0x${encodeHex(signature.subarray(32))}`);
  return s > 0n && s < ORDER ? s : undefined;
}

function withS(signature: Uint8Array, s: bigint): Uint8Array<ArrayBuffer> {
  return concat(signature.subarray(0, 32), decodeHex(s.toString(16).padStart(64, "0")));
}
