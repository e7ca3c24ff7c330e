/** Proof Key for Code Exchange, RFC 7636, method S256. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { digest } from "#protocol/digest.ts";

/** A fresh code verifier: 32 random bytes, 43 characters (RFC 7636 §4.1). */
export function createVerifier(random: (bytes: Uint8Array<ArrayBuffer>) => void = fillRandom): string {
  const bytes = new Uint8Array(32);
  random(bytes);
  return encodeBase64url(bytes);
}

/** The challenge for a verifier: base64url of its SHA-256 (RFC 7636 §4.2). */
export function challengeFor(verifier: string): Promise<string> {
  return digest(verifier);
}

function fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
  crypto.getRandomValues(bytes);
}
