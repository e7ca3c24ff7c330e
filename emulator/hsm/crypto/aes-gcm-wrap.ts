import { createCipheriv, createDecipheriv } from "node:crypto";
import { KmipError } from "#protocol/kmip/index.ts";
import { checkUnwrappable, checkWrappable } from "./aes-key-wrap.ts";

/**
 * Keys under AES-GCM (NIST SP 800-38D), as WebCrypto wraps them: a nonce of 12 bytes, which goes beside them, and the tag of
 * 16 behind the ciphertext. KMIP has no place for additional data of a wrapped key, so there are none.
 */

export const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;

export function wrapGcm(kek: Uint8Array, nonce: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  checkWrappable(data);
  if (data.length === 0) throw new KmipError("CryptographicFailure", "Nothing to wrap");
  const cipher = createCipheriv(cipherName(kek), kek, nonce, { authTagLength: TAG_LENGTH });
  return new Uint8Array(Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]));
}

/** Unwraps and verifies; one error for whatever is wrong. */
export function unwrapGcm(
  kek: Uint8Array,
  nonce: Uint8Array | undefined,
  wrapped: Uint8Array,
): Uint8Array<ArrayBuffer> {
  // The tag is longer than what AES Key Wrap puts before a key.
  checkUnwrappable(wrapped.subarray(0, Math.max(0, wrapped.length - TAG_LENGTH)));
  const name = cipherName(kek);
  try {
    if (nonce?.length !== NONCE_LENGTH || wrapped.length <= TAG_LENGTH) throw new RangeError("length");
    const decipher = createDecipheriv(name, kek, nonce, { authTagLength: TAG_LENGTH });
    decipher.setAuthTag(wrapped.subarray(-TAG_LENGTH));
    const data = decipher.update(wrapped.subarray(0, -TAG_LENGTH));
    return new Uint8Array(Buffer.concat([data, decipher.final()]));
  } catch {
    throw new KmipError("CryptographicFailure", "The wrapped key does not open");
  }
}

function cipherName(kek: Uint8Array): "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm" {
  if (kek.length === 16) return "aes-128-gcm";
  if (kek.length === 24) return "aes-192-gcm";
  if (kek.length === 32) return "aes-256-gcm";
  throw new KmipError("CryptographicFailure", "Not an AES key");
}
