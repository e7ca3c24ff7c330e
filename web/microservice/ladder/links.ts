/**
 * The links of the ladder (US 9,490,973 FIG. 2): each key unwraps the next one straight into a handle that cannot be
 * exported. No code, this neither, sees a byte of any of them (promise 2).
 */

import { concat, utf8 } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import { OAEP_LENGTH, partsOfPair } from "#protocol/keys/index.ts";
import { CEK_LABEL } from "#protocol/oaep-labels.ts";
import type { Crypto, Subtle } from "../crypto.ts";
import { isDevice, type WrappingKey } from "../device.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A key of 256 bits that unwraps the next: a symmetric one by AES Key Wrap (RFC 3394), the private half of a pair by AES-GCM. */
const RUNG = { name: "AES-KW", length: 256 };
const RUNG_OF_PAIR = { name: "AES-GCM", length: 256 };
/** An account key that is a pair unwraps data keys by RSA-OAEP with SHA-256. */
const PAIR = { name: "RSA-OAEP", hash: "SHA-256" };
const PAIR_BITS = 3072;
const OF_CEK = { name: PAIR.name, label: /* @__PURE__ */ utf8(CEK_LABEL) };
const DATA = { name: "HKDF" };
const NONCE_LENGTH = 12;
const GENERATED = { ...PAIR, modulusLength: PAIR_BITS, publicExponent: new Uint8Array([1, 0, 1]) };

/** What a rung does: unwrap the next one, or wrap one that is made here. */
export type RungUsage = "unwrapKey" | "wrapKey";
/** As what a rung is unwrapped: a handle has one algorithm, `ofPair` where what it unwraps or wraps next is a pair. */
export type Rung = { usage?: RungUsage | undefined; ofPair?: boolean };

/**
 * What was released to the instance: RSA-OAEP with SHA-256 to its wrapping key. Of a pair that is a content-encryption key, and
 * `privateKey` the private half under it.
 */
export type Released = { wrappedKey: Bytes; privateKey?: Bytes | undefined };

/** Enc(account): of a pair with its public half (SPKI), and where it was released to the instance, with the key that it is under. */
export type WrappedAccount = { wrapped: Bytes; publicKey?: Bytes | undefined; cek?: Bytes | undefined };

/** The rung that is released to the instance, RSA-OAEP with SHA-256 to its wrapping key: master key or account key, by level. */
export function unwrapReleasedKey(
  subtle: Subtle,
  appKey: WrappingKey,
  wrapped: Bytes,
  { usage = "unwrapKey", ofPair = false }: Rung = {},
): Promise<CryptoKey> {
  const as = ofPair ? RUNG_OF_PAIR : RUNG;
  return linked(as, usage, () =>
    isDevice(appKey)
      ? appKey.unwrapKey(wrapped, as, usage)
      : subtle.unwrapKey("raw", wrapped, appKey, "RSA-OAEP", as, false, [usage]),
  );
}

/** The master key: `ofPair` where an account key below it is a pair; a master key that is one itself opens both kinds. */
export async function unwrapMasterKey(
  subtle: Subtle,
  appKey: WrappingKey,
  { wrappedKey, privateKey }: Released,
  ofPair: boolean,
): Promise<CryptoKey> {
  if (!privateKey) return unwrapReleasedKey(subtle, appKey, wrappedKey, { ofPair });
  const cek = await unwrapReleasedKey(subtle, appKey, wrappedKey, { ofPair: true });
  return unwrapPrivateHalf(subtle, cek, privateKey);
}

/** The master key once more, as a key that others are derived from (W14) and that unwraps nothing. */
export function unwrapLayerKey(subtle: Subtle, appKey: WrappingKey, wrapped: Bytes): Promise<CryptoKey> {
  return linked(DATA, "deriveKey", () =>
    isDevice(appKey)
      ? appKey.unwrapKey(wrapped, DATA, "deriveKey")
      : subtle.unwrapKey("raw", wrapped, appKey, "RSA-OAEP", DATA, false, ["deriveKey"]),
  );
}

/** As it was released to the instance. */
export async function unwrapReleasedAccountKey(
  subtle: Subtle,
  appKey: WrappingKey,
  account: WrappedAccount,
  as?: Rung,
): Promise<CryptoKey> {
  const { wrapped, cek } = account;
  if (!cek) return unwrapReleasedKey(subtle, appKey, wrapped, as);
  return unwrapPrivateHalf(subtle, await unwrapReleasedKey(subtle, appKey, cek, { ofPair: true }), wrapped);
}

/** By the master key; `masterKey` is a handle for pairs where this is one, and may be a pair itself. */
export async function unwrapAccountKey(
  subtle: Subtle,
  masterKey: CryptoKey,
  { wrapped, publicKey }: WrappedAccount,
  { usage = "unwrapKey", ofPair = false }: Rung = {},
): Promise<CryptoKey> {
  if (publicKey) return unwrapPrivate(subtle, masterKey, wrapped);
  const as = ofPair ? RUNG_OF_PAIR : RUNG;
  const { name } = masterKey.algorithm;
  return linked(as, usage, () => subtle.unwrapKey("raw", wrapped, masterKey, name, as, false, [usage]));
}

/** The private half of a pair, by AES-GCM or by a pair. */
async function unwrapPrivate(subtle: Subtle, by: CryptoKey, wrapped: Bytes): Promise<CryptoKey> {
  if (by.algorithm.name !== PAIR.name) return unwrapPrivateHalf(subtle, by, wrapped);
  // Longer than an RSA key encrypts: under a content-encryption key, which stands before it.
  const cek = await linked(RUNG_OF_PAIR, "unwrapKey", () =>
    subtle.unwrapKey("raw", wrapped.slice(0, OAEP_LENGTH), by, OF_CEK, RUNG_OF_PAIR, false, ["unwrapKey"]),
  );
  return unwrapPrivateHalf(subtle, cek, wrapped.slice(OAEP_LENGTH));
}

/** PKCS#8 by AES-GCM: nonce, ciphertext and tag in one. */
function unwrapPrivateHalf(subtle: Subtle, by: CryptoKey, wrapped: Bytes): Promise<CryptoKey> {
  const [iv, bytes] = [wrapped.slice(0, NONCE_LENGTH), wrapped.slice(NONCE_LENGTH)];
  return linked(PAIR, "unwrapKey", () =>
    subtle.unwrapKey("pkcs8", bytes, by, { name: "AES-GCM", iv }, PAIR, false, ["unwrapKey"]),
  );
}

/** The public half of a pair, to which a data key that is made here is wrapped. */
export function publicHalf(subtle: Subtle, spki: Bytes): Promise<CryptoKey> {
  return linked(PAIR, "wrapKey", () => subtle.importKey("spki", spki, PAIR, false, ["wrapKey"]));
}

export function unwrapDataKey(subtle: Subtle, accountKey: CryptoKey, wrapped: Bytes): Promise<CryptoKey> {
  const { name } = accountKey.algorithm;
  return linked(DATA, "deriveKey", () =>
    subtle.unwrapKey("raw", wrapped, accountKey, name, DATA, false, ["deriveKey"]),
  );
}

/**
 * Makes a data key, encrypted under the account key, or to its public half (W10); or an account key under the master key (W11), which
 * differs by what it is unwrapped as. WebCrypto wraps only what could be exported, so
 * this one could be as long as this function runs; nothing exports it, and what is used later is unwrapped as every other key.
 */
export async function makeWrappedKey(subtle: Subtle, by: CryptoKey): Promise<Bytes> {
  const made = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
  return new Uint8Array(await subtle.wrapKey("raw", made, by, by.algorithm.name));
}

/** What a data key that is a pair consists of (W1): the private half, the public one, and the version's secret, from which keys are derived. */
export type DataPair = { key: CryptoKey; publicKey: CryptoKey; secret: CryptoKey };

/** By the account key; a symmetric one is a handle for pairs. */
export async function unwrapDataPair(
  subtle: Subtle,
  accountKey: CryptoKey,
  wrapped: Bytes,
): Promise<DataPair> {
  const parts = partsOfPair(wrapped);
  const key = await unwrapPrivate(subtle, accountKey, parts.privateKey);
  const publicKey = await publicHalf(subtle, parts.publicKey);
  return { key, publicKey, secret: await unwrapDataKey(subtle, key, parts.secret) };
}

/** The same of a data key that is a pair: made as long as this function runs, its private half under the account key, or to its public half. */
export async function makeWrappedPair({ subtle, random }: Crypto, accountKey: CryptoKey): Promise<Bytes> {
  const made = (await subtle.generateKey(GENERATED, true, ["wrapKey", "unwrapKey"])) as CryptoKeyPair;
  const spki = new Uint8Array((await subtle.exportKey("spki", made.publicKey)) as ArrayBuffer);
  const parts = [spki, await makeWrappedKey(subtle, made.publicKey)];
  let by = accountKey;
  if (by.algorithm.name === PAIR.name) {
    by = await subtle.generateKey(RUNG_OF_PAIR, true, ["wrapKey"]);
    parts.push(new Uint8Array(await subtle.wrapKey("raw", by, accountKey, OF_CEK)));
  }
  const iv = random(new Uint8Array(NONCE_LENGTH));
  const wrapped = await subtle.wrapKey("pkcs8", made.privateKey, by, { name: "AES-GCM", iv });
  return concat(...parts, iv, new Uint8Array(wrapped));
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
  const { name, length, modulusLength } = key.algorithm as KeyAlgorithm & {
    length?: number;
    modulusLength?: number;
  };
  // What was wrapped may be of another length; of an HKDF key nobody is told it.
  if (key.extractable !== false || key.usages.join() !== usage) throw new CofferError("key-unusable");
  if (name !== as.name || length !== as.length) throw new CofferError("key-unusable");
  if (as === PAIR && modulusLength !== PAIR_BITS) throw new CofferError("key-unusable");
  return key;
}
