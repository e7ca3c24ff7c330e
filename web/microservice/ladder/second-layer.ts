/**
 * The second layer over Enc(data) (W14): what is wrapped under the account key is encrypted once more by AES-256-GCM, under a key that
 * HKDF-SHA-512 (RFC 5869) derives from the master key. What comes off is a key that is still wrapped.
 */

import { concat, utf8 } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import type { Crypto, Subtle } from "../crypto.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const IV_LENGTH = 12;
/** Told apart from that of ciphertexts (protocol/envelope/layer.ts), so that no key of one layer is one of the other. */
const LABEL = /* @__PURE__ */ utf8("coffer-layer-data-key-v1");

/** To which version of which data key it is bound. */
export type Bound = { tenant: string; account: string; keyId: string; keyVersion: number };

/** IV (12 bytes), ciphertext, tag (16 bytes). `master`: HKDF, with the single usage deriveKey; `label`: what for, where that is no second layer. */
export async function wrapOnceMore(
  { subtle, random }: Crypto,
  master: CryptoKey,
  of: Bound,
  wrapped: Bytes,
  label = LABEL,
): Promise<Bytes> {
  const key = await layerKey(subtle, master, label, "encrypt");
  const iv = random(new Uint8Array(IV_LENGTH));
  return concat(iv, new Uint8Array(await subtle.encrypt(parameters(iv, of), key, wrapped)));
}

/** What is under the layer. Throws `key-refused`. */
export async function takeOff(
  subtle: Subtle,
  master: CryptoKey,
  of: Bound,
  layered: Bytes,
  label = LABEL,
): Promise<Bytes> {
  const key = await layerKey(subtle, master, label, "decrypt");
  const parts = parameters(layered.slice(0, IV_LENGTH), of);
  return subtle.decrypt(parts, key, layered.slice(IV_LENGTH)).then(
    (wrapped) => new Uint8Array(wrapped),
    (cause: unknown) => {
      throw new CofferError("key-refused", { cause });
    },
  );
}

async function layerKey(
  subtle: Subtle,
  master: CryptoKey,
  info: Bytes,
  usage: "encrypt" | "decrypt",
): Promise<CryptoKey> {
  const algorithm = { name: "HKDF", hash: "SHA-512", salt: new Uint8Array(), info };
  const key = await subtle.deriveKey(algorithm, master, { name: "AES-GCM", length: 256 }, false, [usage]);
  if (key.extractable !== false) throw new CofferError("key-unusable");
  return key;
}

function parameters(iv: Bytes, { tenant, account, keyId, keyVersion }: Bound) {
  const additionalData = utf8(JSON.stringify([tenant, account, keyId, keyVersion]));
  return { name: "AES-GCM", iv, additionalData };
}
