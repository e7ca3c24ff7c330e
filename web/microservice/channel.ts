/** The instance's end of a channel from the HSM (protocol/keys/channel.ts): a share that is made for one request, and what comes back. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import type { Subtle } from "./crypto.ts";

type Bytes = Uint8Array<ArrayBuffer>;
/** The HSM's share, raw; `sealed`: ciphertext and tag. All base64url. */
type Sealed = { share: string; nonce: string; sealed: string };

/** `share`: raw, base64url. */
export async function makeShare(subtle: Subtle): Promise<{ share: string; privateKey: CryptoKey }> {
  const { publicKey, privateKey } = (await subtle.generateKey("X25519", false, [
    "deriveKey",
  ])) as CryptoKeyPair;
  const raw = new Uint8Array((await subtle.exportKey("raw", publicKey)) as ArrayBuffer);
  return { share: encodeBase64url(raw), privateKey };
}

/** What was encrypted for this end. Throws for what another key has encrypted. */
export async function openChannel(
  subtle: Subtle,
  privateKey: CryptoKey,
  info: Bytes,
  { share, nonce, sealed }: Sealed,
): Promise<Bytes> {
  const key = await channelKey(subtle, privateKey, share, info, "decrypt");
  const gcm = { name: "AES-GCM", iv: decodeBase64url(nonce) };
  return new Uint8Array(await subtle.decrypt(gcm, key, decodeBase64url(sealed)));
}

/** The key of one of a channel's directions. Throws as `agreedKey`. */
export async function channelKey(
  subtle: Subtle,
  privateKey: CryptoKey,
  share: string,
  info: Bytes,
  use: "encrypt" | "decrypt",
): Promise<CryptoKey> {
  const agreed = await agreedKey(subtle, privateKey, decodeBase64url(share));
  return layerKey(subtle, agreed, info, "AES-GCM", use);
}

/** What both shares agree on, as an HKDF key. A share that makes the secret zero throws (RFC 7748 §6.1). */
export async function agreedKey(subtle: Subtle, privateKey: CryptoKey, share: Bytes): Promise<CryptoKey> {
  const other = await subtle.importKey("raw", share, "X25519", true, []);
  const agreement = { name: "X25519", public: other };
  return unexportable(await subtle.deriveKey(agreement, privateKey, "HKDF", false, ["deriveKey"]));
}

/** A key of 256 bits for one use, by HKDF-SHA-256 without a salt. */
export async function layerKey(
  subtle: Subtle,
  secret: CryptoKey,
  info: Bytes,
  name: "AES-GCM" | "AES-KW",
  use: KeyUsage,
): Promise<CryptoKey> {
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return unexportable(await subtle.deriveKey(hkdf, secret, { name, length: 256 }, false, [use]));
}

/** Throws `key-unusable` where the engine has made another key than was asked for. */
export function unexportable(key: CryptoKey): CryptoKey {
  if (key.extractable !== false) throw new CofferError("key-unusable");
  return key;
}
