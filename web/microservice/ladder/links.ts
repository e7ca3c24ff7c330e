/**
 * The links of the ladder (US 9,490,973 FIG. 2): each key unwraps the next one straight into a handle that cannot be
 * exported. No code, this neither, sees a byte of any of them (promise 2).
 */

import { CofferError } from "#protocol/error.ts";
import type { Subtle } from "../crypto.ts";
import { isDevice, type WrappingKey } from "../device.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A key of 256 bits that unwraps the next: AES Key Wrap (RFC 3394). */
const RUNG = { name: "AES-KW", length: 256 };
const DATA = { name: "HKDF" };

/** What a rung does: unwrap the next one, or wrap one that is made here. */
export type RungUsage = "unwrapKey" | "wrapKey";

/** The rung that is released to the instance, RSA-OAEP with SHA-256 to its wrapping key: master key or account key, by level. */
export function unwrapReleasedKey(
  subtle: Subtle,
  appKey: WrappingKey,
  wrapped: Bytes,
  usage: RungUsage = "unwrapKey",
): Promise<CryptoKey> {
  return linked(RUNG, usage, () =>
    isDevice(appKey)
      ? appKey.unwrapKey(wrapped, RUNG, usage)
      : subtle.unwrapKey("raw", wrapped, appKey, "RSA-OAEP", RUNG, false, [usage]),
  );
}

/** The master key once more, as a key that others are derived from (W14) and that unwraps nothing. */
export function unwrapLayerKey(subtle: Subtle, appKey: WrappingKey, wrapped: Bytes): Promise<CryptoKey> {
  return linked(DATA, "deriveKey", () =>
    isDevice(appKey)
      ? appKey.unwrapKey(wrapped, DATA, "deriveKey")
      : subtle.unwrapKey("raw", wrapped, appKey, "RSA-OAEP", DATA, false, ["deriveKey"]),
  );
}

export function unwrapAccountKey(
  subtle: Subtle,
  masterKey: CryptoKey,
  wrapped: Bytes,
  usage: RungUsage = "unwrapKey",
): Promise<CryptoKey> {
  return linked(RUNG, usage, () =>
    subtle.unwrapKey("raw", wrapped, masterKey, "AES-KW", RUNG, false, [usage]),
  );
}

export function unwrapDataKey(subtle: Subtle, accountKey: CryptoKey, wrapped: Bytes): Promise<CryptoKey> {
  return linked(DATA, "deriveKey", () =>
    subtle.unwrapKey("raw", wrapped, accountKey, "AES-KW", DATA, false, ["deriveKey"]),
  );
}

/**
 * Makes a data key, encrypted under the account key (W10). WebCrypto wraps only what could be exported, so this one could be
 * as long as this function runs; nothing exports it, and what is used later is unwrapped as every other key.
 */
export async function makeWrappedDataKey(subtle: Subtle, accountKey: CryptoKey): Promise<Bytes> {
  const made = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
  return new Uint8Array(await subtle.wrapKey("raw", made, accountKey, "AES-KW"));
}

/** Throws `key-refused` alike for whatever does not decrypt, on every link, and `key-unusable` for a key of another kind. */
async function linked(
  as: { name: string; length?: number },
  usage: KeyUsage,
  unwrap: () => Promise<CryptoKey>,
): Promise<CryptoKey> {
  const key = await unwrap().catch((cause: unknown) => {
    throw new CofferError("key-refused", { cause });
  });
  const { name, length } = key.algorithm as KeyAlgorithm & { length?: number };
  // What was wrapped may be of another length; of an HKDF key nobody is told it.
  if (key.extractable !== false || key.usages.join() !== usage) throw new CofferError("key-unusable");
  if (name !== as.name || length !== as.length) throw new CofferError("key-unusable");
  return key;
}
