/**
 * Instance keys at rest under a passkey (M4). A browser keeps a handle's bytes in clear in its profile's files; under what the PRF of a passkey
 * gives (Web Authentication, level 3 §10.1.4) a copy of these files has no keys. There are two layers, since the passkey is asked after the keys
 * were made: PKCS#8 wrapped under a key that cannot be exported and is kept beside it, which keeps the bytes from all code, and around
 * that AES-GCM under the passkey's, which keeps them from a thief of the files.
 */

import { utf8 } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import { layerKey, unexportable } from "./channel.ts";
import type { Crypto, Subtle } from "./crypto.ts";
import { checkInstanceKeys, generatePairs, IDENTITY, type InstanceKeys, WRAPPING } from "./keys.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** For whom keys are kept. */
type Owner = { origin: string; custodian: string };

/** What a passkey gives: its credential ID, and 32 bytes of its own for a salt of 32 bytes. */
export type PasskeySecret = { credential: Bytes; output: Bytes };

/** In the order of `FORMS`; the last two of a hybrid recipient alone. */
export type SealedKeys = {
  credential: Bytes;
  salt: Bytes;
  /** AES-GCM, not extractable: of the inner layer. */
  inner: CryptoKey;
  keys: Bytes[];
};

/** Private keys that can be kept under a passkey, should one be there in time. Nobody can read them. */
export type Sealable = { inner: CryptoKey; wrapped: Bytes[]; salt: Bytes };

const DOMAIN = "coffer instance keys 1";
const AES = { name: "AES-GCM", length: 256 };
const FORMS = [
  [IDENTITY, "sign"],
  [WRAPPING, "unwrapKey"],
  [{ name: "X25519" }, "deriveKey"],
  [{ name: "ML-KEM-768" }, "decapsulateKey"],
] as const;

/** A key of either layer encrypts each of an instance's keys once. */
const gcm = (place: number, additionalData: Bytes = new Uint8Array()) => ({
  name: "AES-GCM",
  iv: new Uint8Array(12).fill(place),
  additionalData,
});

/** Makes an instance's keys so that they can be kept under a passkey. Only within this function can they be exported. */
export async function generateSealable({
  subtle,
  random,
}: Crypto): Promise<{ keys: InstanceKeys; sealable: Sealable }> {
  const inner = (await subtle.generateKey(AES, false, ["wrapKey", "unwrapKey"])) as CryptoKey;
  const { identityKey, wrappingKey, hybrid, ...publicKeys } = await generatePairs(subtle, true);
  const own = [identityKey, wrappingKey, ...(hybrid ? [hybrid.agreementKey, hybrid.kemKey] : [])];
  const wrapped = await Promise.all(
    own.map(async (key, place) => {
      const pkcs8 = await subtle.wrapKey("pkcs8", key as CryptoKey, unexportable(inner), gcm(place));
      return new Uint8Array(pkcs8);
    }),
  );
  const kept = await unwrap(subtle, { inner, wrapped });
  const keys = { ...publicKeys, ...kept, hybrid: hybrid && kept.hybrid && { ...hybrid, ...kept.hybrid } };
  return { keys, sealable: { inner, wrapped, salt: random(new Uint8Array(32)) } };
}

/** The key of the outer layer. `output` is of no further use to anybody: it is overwritten. */
export async function passkeyKey(
  subtle: Subtle,
  output: Bytes,
  use: "encrypt" | "decrypt",
): Promise<CryptoKey> {
  try {
    if (output.length !== 32) throw new CofferError("key-unusable");
    const secret = await subtle.importKey("raw", output, "HKDF", false, ["deriveKey"]);
    return await layerKey(subtle, unexportable(secret), utf8(DOMAIN), "AES-GCM", use);
  } finally {
    output.fill(0);
  }
}

/** What is kept in the place of the keys. `key`: of a salt that is this instance's alone. */
export async function sealKeys(
  subtle: Subtle,
  { inner, wrapped, salt }: Sealable,
  { key, credential }: { key: CryptoKey; credential: Bytes },
  record: Owner,
): Promise<SealedKeys> {
  const sealing = wrapped.map((pkcs8, place) => subtle.encrypt(gcm(place, boundTo(record)), key, pkcs8));
  const keys = (await Promise.all(sealing)).map((sealed) => new Uint8Array(sealed));
  return { credential, salt, inner, keys };
}

/** The keys of a record that was kept so. Throws for another passkey's key, for another custodian's record, and for what was altered. */
export async function openKeys(
  subtle: Subtle,
  record: Owner,
  { inner, keys }: SealedKeys,
  key: CryptoKey,
): Promise<ReturnType<typeof unwrap>> {
  const opening = keys.map((sealed, place) => subtle.decrypt(gcm(place, boundTo(record)), key, sealed));
  const wrapped = (await Promise.all(opening)).map((pkcs8) => new Uint8Array(pkcs8));
  return unwrap(subtle, { inner, wrapped });
}

async function unwrap(subtle: Subtle, { inner, wrapped }: Pick<Sealable, "inner" | "wrapped">) {
  const unwrapping = wrapped.map((pkcs8, place) => {
    const [algorithm, usage] = FORMS[place] ?? [];
    if (!algorithm) throw new CofferError("key-unusable");
    return subtle.unwrapKey("pkcs8", pkcs8, inner, gcm(place), algorithm, false, [usage as KeyUsage]);
  });
  const [identityKey, wrappingKey, agreementKey, kemKey] = await Promise.all(unwrapping);
  if (!identityKey || !wrappingKey) throw new CofferError("key-unusable");
  checkInstanceKeys(identityKey, wrappingKey);
  if (!agreementKey || !kemKey) return { identityKey, wrappingKey };
  return { identityKey, wrappingKey, hybrid: { agreementKey, kemKey } };
}

function boundTo({ origin, custodian }: Owner): Bytes {
  return utf8(JSON.stringify([DOMAIN, origin, custodian]));
}
