/** How a data key is encrypted on its way to an instance, apart from who vouches for it. */

import { decodeBase64url } from "../../base64url.ts";
import { HYBRID_LENGTH } from "../../hybrid.ts";

/** Bytes of an RSA-OAEP ciphertext under a 3072 to 4096 bit key. */
const MIN_RSA = 384;
const MAX_RSA = 512;
/** CMS around one of those, at most: no hybrid one is as short. */
const MAX_CMS = 1024;

/**
 * `RSA-OAEP`: with SHA-256, the 32 key bytes alone, to the instance's wrapping key. `hybrid`: to its X25519 and its ML-KEM-768 key
 * (`protocol/hybrid.ts`). No RSA ciphertext is as long. `cms`: what RSA-OAEP wraps is a content-encryption key, in CMS EnvelopedData,
 * as AWS KMS encrypts to an attested recipient (M19).
 */
export type Wrapped = {
  wrapping: "RSA-OAEP" | "hybrid";
  wrappedKey: Uint8Array<ArrayBuffer>;
  cms?: boolean;
};

/** Throws `TypeError` for what can be no such ciphertext. */
export function wrappedOf(wrapped: string): Wrapped {
  const wrappedKey = decodeBase64url(wrapped);
  const { length } = wrappedKey;
  if (length === HYBRID_LENGTH) return { wrapping: "hybrid", wrappedKey };
  if (length < MIN_RSA || length > MAX_CMS) throw new TypeError("not a wrapped key");
  return { wrapping: "RSA-OAEP", wrappedKey, cms: length > MAX_RSA };
}
