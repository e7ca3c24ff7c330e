/**
 * The links of the ladder (US 9,490,973 FIG. 2): each key unwraps the next one straight into a handle that cannot be
 * exported. No code, this neither, sees a byte of any of them (promise 2).
 */

import { CofferError } from "#protocol/error.ts";
import type { Subtle } from "../crypto.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A key of 256 bits that unwraps the next: AES Key Wrap (RFC 3394). */
const RUNG = { name: "AES-KW", length: 256 };

/** Enc(master) is encrypted to the instance's wrapping key, RSA-OAEP with SHA-256. */
export function unwrapMasterKey(subtle: Subtle, appKey: CryptoKey, wrapped: Bytes): Promise<CryptoKey> {
  return unwrap(subtle, wrapped, appKey, "RSA-OAEP", RUNG, "unwrapKey");
}

export function unwrapAccountKey(subtle: Subtle, masterKey: CryptoKey, wrapped: Bytes): Promise<CryptoKey> {
  return unwrap(subtle, wrapped, masterKey, "AES-KW", RUNG, "unwrapKey");
}

export function unwrapDataKey(subtle: Subtle, accountKey: CryptoKey, wrapped: Bytes): Promise<CryptoKey> {
  return unwrap(subtle, wrapped, accountKey, "AES-KW", { name: "HKDF" }, "deriveKey");
}

/** Throws `key-refused` alike for whatever does not decrypt, on every link. */
async function unwrap(
  subtle: Subtle,
  wrapped: Bytes,
  by: CryptoKey,
  wrapping: "RSA-OAEP" | "AES-KW",
  as: { name: string; length?: number },
  usage: "unwrapKey" | "deriveKey",
): Promise<CryptoKey> {
  let key: CryptoKey;
  try {
    key = await subtle.unwrapKey("raw", wrapped, by, wrapping, as, false, [usage]);
  } catch (cause) {
    throw new CofferError("key-refused", { cause });
  }
  const { name, length } = key.algorithm as AesKeyAlgorithm;
  // What was wrapped may be of another length; of an HKDF key nobody is told it.
  if (key.extractable !== false || key.usages.join() !== usage) throw new CofferError("key-unusable");
  if (name !== as.name || length !== as.length) throw new CofferError("key-unusable");
  return key;
}
