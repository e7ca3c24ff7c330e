/** How a data key is encrypted on its way to an instance, apart from who vouches for it. */

import { decodeBase64url } from "../../base64url.ts";

/** Bytes of an RSA-OAEP ciphertext under a 3072 to 4096 bit key. */
const MIN_RSA = 384;
const MAX_RSA = 512;

/** By WebCrypto's name. `RSA-OAEP`: with SHA-256, the 32 key bytes alone, to the instance's wrapping key. */
export type Wrapped = { wrapping: "RSA-OAEP"; wrappedKey: Uint8Array<ArrayBuffer> };

/** Throws `TypeError` for what can be no such ciphertext. */
export function rsaOaep(wrapped: string): Wrapped {
  const wrappedKey = decodeBase64url(wrapped);
  const { length } = wrappedKey;
  if (length < MIN_RSA || length > MAX_RSA) throw new TypeError("not a wrapped key");
  return { wrapping: "RSA-OAEP", wrappedKey };
}
