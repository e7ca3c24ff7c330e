import { encodeBase64url } from "#protocol/base64url.ts";

/** A secret of 256 random bits, 43 characters of base64url. */
export function newSecret(): string {
  return encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * What is good for whoever shows it (cookie, code, refresh token), or is a grant: `<principal>.<secret>`. The principal
 * says which object to ask, and proves nothing: that object has the whole, or refuses. Of what is good by itself keep
 * `hashSecret` only.
 */
export function bearerOf(principal: string, secret: string = newSecret()): string {
  return `${principal}.${secret}`;
}

const BEARER = /^([a-z2-7]{32})\.[A-Za-z0-9_-]{43}$/;

/** Whose it says it is; null for what is no bearer secret. */
export function principalOf(bearer: string): string | null {
  return BEARER.exec(bearer)?.[1] ?? null;
}

/** SHA-256, base64url. Enough for secrets of full entropy: there is nothing to guess. */
export { digest as hashSecret } from "#protocol/digest.ts";
