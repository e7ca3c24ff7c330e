/** The two keys of an instance. Their private halves never leave it and nobody, not even this code, can export them. */
import { CofferError } from "#protocol/error.ts";
import type { Wrapped } from "#protocol/keys/index.ts";
import type { Subtle } from "./crypto.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export type InstanceKeys = {
  /** ECDSA P-256, usage sign. */
  identityKey: CryptoKey;
  /** RSA-OAEP-3072 with SHA-256, usage unwrapKey: what any KMIP HSM can wrap to. */
  wrappingKey: CryptoKey;
  /** SubjectPublicKeyInfo, DER. */
  identitySpki: Bytes;
  wrappingSpki: Bytes;
};

const IDENTITY = { name: "ECDSA", namedCurve: "P-256" };
const WRAPPING = {
  name: "RSA-OAEP",
  hash: "SHA-256",
  modulusLength: 3072,
  publicExponent: new Uint8Array([1, 0, 1]),
};

/** Makes both keys; takes up to a second. */
export async function generateInstanceKeys(subtle: Subtle): Promise<InstanceKeys> {
  const [identity, wrapping] = await Promise.all([
    subtle.generateKey(IDENTITY, false, ["sign"]) as Promise<CryptoKeyPair>,
    subtle.generateKey(WRAPPING, false, ["unwrapKey"]) as Promise<CryptoKeyPair>,
  ]);
  checkInstanceKeys(identity.privateKey, wrapping.privateKey);
  const [identitySpki, wrappingSpki] = await Promise.all([
    subtle.exportKey("spki", identity.publicKey),
    subtle.exportKey("spki", wrapping.publicKey),
  ]);
  return {
    identityKey: identity.privateKey,
    wrappingKey: wrapping.privateKey,
    identitySpki: new Uint8Array(identitySpki as ArrayBuffer),
    wrappingSpki: new Uint8Array(wrappingSpki as ArrayBuffer),
  };
}

/** Throws `key-unusable` unless the keys are exactly what they must be; after making them and after reading them back. */
export function checkInstanceKeys(identityKey: CryptoKey, wrappingKey: CryptoKey): void {
  check(identityKey, "ECDSA", "sign");
  check(wrappingKey, "RSA-OAEP", "unwrapKey");
  const { modulusLength, hash } = wrappingKey.algorithm as RsaHashedKeyAlgorithm;
  if (modulusLength < 3072 || hash.name !== "SHA-256") throw new CofferError("key-unusable");
}

function check(key: CryptoKey, algorithm: string, usage: KeyUsage): void {
  if (key.extractable !== false || key.type !== "private") throw new CofferError("key-unusable");
  if (key.algorithm.name !== algorithm || key.usages.join() !== usage) throw new CofferError("key-unusable");
}

/** Signs with the identity key: ECDSA with SHA-256, r || s. What is signed begins with a domain of its own. */
export async function signWith(subtle: Subtle, identityKey: CryptoKey, bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, identityKey, bytes));
}

/**
 * Unwraps a data key straight into an HKDF key with the single usage deriveKey: its bytes are never seen by any code.
 * Only after the receipt has been verified. Throws `key-refused`.
 */
export async function unwrapDataKey(
  subtle: Subtle,
  wrappingKey: CryptoKey,
  { wrapping, wrappedKey }: Wrapped,
): Promise<CryptoKey> {
  let key: CryptoKey;
  try {
    key = await subtle.unwrapKey("raw", wrappedKey, wrappingKey, wrapping, "HKDF", false, ["deriveKey"]);
  } catch (cause) {
    throw new CofferError("key-refused", { cause });
  }
  if (key.extractable !== false || key.usages.join() !== "deriveKey") throw new CofferError("key-unusable");
  return key;
}
