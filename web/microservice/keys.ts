/** The keys of an instance. Their private halves never leave it and nobody, not even this code, can export them. */
import { CofferError } from "#protocol/error.ts";
import type { Wrapped } from "#protocol/keys/index.ts";
import type { Subtle } from "./crypto.ts";
import { type IdentityKey, isDevice, type WrappingKey } from "./device.ts";
import {
  type CertifiedHybrid,
  checkHybrid,
  generateHybrid,
  type HybridPair,
  unwrapHybrid,
} from "./hybrid.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The app-specific key: what is released to the instance is encrypted to it. */
export type WrappingPair = {
  /** RSA-OAEP-3072 with SHA-256, usage unwrapKey: what any KMIP HSM can wrap to. */
  wrappingKey: WrappingKey;
  /** SubjectPublicKeyInfo, DER. */
  wrappingSpki: Bytes;
};

export type IdentityPair = {
  /** ECDSA P-256, usage sign. */
  identityKey: IdentityKey;
  identitySpki: Bytes;
};

export type InstanceKeys = WrappingPair & IdentityPair & { hybrid?: HybridPair | undefined };
/** Keys that the host has: the app-specific one, and that of the identity where a device has it. */
export type HostKeys = WrappingPair & Partial<IdentityPair>;

export const IDENTITY = { name: "ECDSA", namedCurve: "P-256" };
export const WRAPPING = {
  name: "RSA-OAEP",
  hash: "SHA-256",
  modulusLength: 3072,
  publicExponent: new Uint8Array([1, 0, 1]),
};

/**
 * Makes the keys, or the identity key beside a wrapping key that there is; takes up to a second. Where a host or a device has the
 * app-specific key, no other one is made beside it.
 */
export async function generateInstanceKeys(
  subtle: Subtle,
  hostKeys?: () => Promise<HostKeys>,
): Promise<InstanceKeys> {
  const keys = await generatePairs(subtle, false, hostKeys);
  checkInstanceKeys(keys.identityKey, keys.wrappingKey);
  if (keys.hybrid) checkHybrid(keys.hybrid);
  return keys;
}

/** `extractable`: for `generateSealable` alone, which wraps them at once. */
export async function generatePairs(
  subtle: Subtle,
  extractable: boolean,
  hostKeys?: () => Promise<HostKeys>,
): Promise<InstanceKeys> {
  const [identity, host, hybrid] = await Promise.all([
    generateIdentityPair(subtle, extractable),
    hostKeys ? hostKeys() : generateWrappingPair(subtle, extractable),
    hostKeys ? undefined : generateHybrid(subtle, extractable),
  ]);
  return { ...identity, ...host, hybrid };
}

async function generateIdentityPair(subtle: Subtle, extractable: boolean) {
  const pair = (await subtle.generateKey(IDENTITY, extractable, ["sign"])) as CryptoKeyPair;
  return { identityKey: pair.privateKey, identitySpki: await spkiOf(subtle, pair.publicKey) };
}

async function generateWrappingPair(subtle: Subtle, extractable: boolean) {
  const pair = (await subtle.generateKey(WRAPPING, extractable, ["unwrapKey"])) as CryptoKeyPair;
  return { wrappingKey: pair.privateKey, wrappingSpki: await spkiOf(subtle, pair.publicKey) };
}

async function spkiOf(subtle: Subtle, key: CryptoKey): Promise<Bytes> {
  return new Uint8Array((await subtle.exportKey("spki", key)) as ArrayBuffer);
}

/**
 * Throws `key-unusable` unless the keys are exactly what they must be; after making them and after reading them back. What a
 * device has shows by what it does.
 */
export function checkInstanceKeys(identityKey: IdentityKey, wrappingKey: WrappingKey): void {
  if (!isDevice(identityKey)) check(identityKey, "ECDSA", "sign");
  if (isDevice(wrappingKey)) return;
  check(wrappingKey, "RSA-OAEP", "unwrapKey");
  const { modulusLength, hash } = wrappingKey.algorithm as RsaHashedKeyAlgorithm;
  if (modulusLength < 3072 || hash.name !== "SHA-256") throw new CofferError("key-unusable");
}

function check(key: CryptoKey, algorithm: string, usage: KeyUsage): void {
  if (key.extractable !== false || key.type !== "private") throw new CofferError("key-unusable");
  if (key.algorithm.name !== algorithm || key.usages.join() !== usage) throw new CofferError("key-unusable");
}

/** Signs with the identity key: ECDSA with SHA-256, r || s. What is signed begins with a domain of its own. */
export async function signWith(subtle: Subtle, identityKey: IdentityKey, bytes: Bytes): Promise<Bytes> {
  if (isDevice(identityKey)) return identityKey.sign(bytes);
  return new Uint8Array(await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, identityKey, bytes));
}

const HKDF = [{ name: "HKDF" }, "deriveKey"] as const;

/**
 * Unwraps a data key straight into an HKDF key with the single usage deriveKey: its bytes are never seen by any code.
 * Only after the receipt has been verified. `as`: another algorithm and usage. Throws `key-refused`.
 */
export async function unwrapDataKey(
  subtle: Subtle,
  { wrappingKey, hybrid }: { wrappingKey: WrappingKey; hybrid?: CertifiedHybrid | undefined },
  { wrapping, wrappedKey }: Wrapped,
  [as, usage]: readonly [{ name: string; length?: number }, KeyUsage] = HKDF,
): Promise<CryptoKey> {
  let key: CryptoKey;
  try {
    if (wrapping === "hybrid") {
      if (!hybrid) throw new TypeError("no hybrid keys");
      key = await unwrapHybrid(subtle, hybrid, wrappedKey, as, usage);
    } else
      key = isDevice(wrappingKey)
        ? await wrappingKey.unwrapKey(wrappedKey, as, usage)
        : await subtle.unwrapKey("raw", wrappedKey, wrappingKey, wrapping, as, false, [usage]);
  } catch (cause) {
    throw new CofferError("key-refused", { cause });
  }
  if (key.extractable !== false || key.usages.join() !== usage) throw new CofferError("key-unusable");
  return key;
}
