/** The two keys of an instance. Their private halves never leave it and nobody, not even this code, can export them. */
import { CofferError } from "#protocol/error.ts";
import type { Wrapped } from "#protocol/keys/index.ts";
import type { Subtle } from "./crypto.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The app-specific key: what is released to the instance is encrypted to it. */
export type WrappingPair = {
  /** RSA-OAEP-3072 with SHA-256, usage unwrapKey: what any KMIP HSM can wrap to. */
  wrappingKey: CryptoKey;
  /** SubjectPublicKeyInfo, DER. */
  wrappingSpki: Bytes;
};

export type InstanceKeys = WrappingPair & {
  /** ECDSA P-256, usage sign. */
  identityKey: CryptoKey;
  identitySpki: Bytes;
};

const IDENTITY = { name: "ECDSA", namedCurve: "P-256" };
const WRAPPING = {
  name: "RSA-OAEP",
  hash: "SHA-256",
  modulusLength: 3072,
  publicExponent: new Uint8Array([1, 0, 1]),
};

/** Makes both keys, or the identity key beside a wrapping key that there is; takes up to a second. */
export async function generateInstanceKeys(
  subtle: Subtle,
  wrappingPair: () => Promise<WrappingPair> = () => generateWrappingPair(subtle),
): Promise<InstanceKeys> {
  const [identity, wrapping] = await Promise.all([
    subtle.generateKey(IDENTITY, false, ["sign"]) as Promise<CryptoKeyPair>,
    wrappingPair(),
  ]);
  checkInstanceKeys(identity.privateKey, wrapping.wrappingKey);
  const identitySpki = await spkiOf(subtle, identity.publicKey);
  return { identityKey: identity.privateKey, identitySpki, ...wrapping };
}

async function generateWrappingPair(subtle: Subtle): Promise<WrappingPair> {
  const pair = (await subtle.generateKey(WRAPPING, false, ["unwrapKey"])) as CryptoKeyPair;
  return { wrappingKey: pair.privateKey, wrappingSpki: await spkiOf(subtle, pair.publicKey) };
}

async function spkiOf(subtle: Subtle, key: CryptoKey): Promise<Bytes> {
  return new Uint8Array((await subtle.exportKey("spki", key)) as ArrayBuffer);
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
