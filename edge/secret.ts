import { encodeBase64url } from "#protocol/base64url.ts";

/** A bearer secret of 256 random bits, 43 characters of base64url. Keep `hashSecret` of it only. */
export function newSecret(): string {
  return encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** SHA-256, base64url. Enough for secrets of full entropy: there is nothing to guess. */
export { digest as hashSecret } from "#protocol/digest.ts";
