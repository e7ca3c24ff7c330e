/**
 * A data key that is an RSA pair of 3072 bits (W1), as its EDK has it: the public half (SubjectPublicKeyInfo, 422 bytes), the version's
 * secret (RSA-OAEP with SHA-256 to that half, 384 bytes), and the private half (PKCS#8 by AES-GCM: IV, ciphertext, tag), before which
 * stands a content-encryption key (384 bytes) where the account key is a pair too.
 */

const SPKI_LENGTH = 422;
export const OAEP_LENGTH = 384;
/** PKCS#8 at most: its numbers may begin with a zero byte, or lack bytes that would be zero. */
const LONGEST_PKCS8 = 1796;
const IV_AND_TAG = 28;

/** Bytes of all of it, at most, without a content-encryption key. */
export const PAIR_DATA_KEY = SPKI_LENGTH + OAEP_LENGTH + IV_AND_TAG + LONGEST_PKCS8;
/** How many bytes fewer it may have: one less than a second layer adds. */
export const PAIR_SHORTER = 27;

type Bytes = Uint8Array<ArrayBuffer>;

/** `wrapped` has been held against its length. */
export function partsOfPair(wrapped: Bytes): { publicKey: Bytes; secret: Bytes; privateKey: Bytes } {
  const at = SPKI_LENGTH + OAEP_LENGTH;
  return {
    publicKey: wrapped.slice(0, SPKI_LENGTH),
    secret: wrapped.slice(SPKI_LENGTH, at),
    privateKey: wrapped.slice(at),
  };
}
