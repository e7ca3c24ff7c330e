/**
 * The second layer over a ciphertext (W14): every frame's ciphertext with its tag, encrypted once more by AES-256-GCM. Its key is
 * derived for the message by HKDF-SHA-512 (RFC 5869) from a key that is not the data key, the tenant's master key. Taken off,
 * what is left is the message of the AWS Encryption SDK that it was put on. The header stays in the clear and names the layer, as an
 * encrypted data key of a provider of its own that has no key in it; the header's tag binds that.
 */
import { concat, utf8 } from "../bytes.ts";
import { CofferError } from "../error.ts";
import { serialiseContext } from "./context.ts";
import { frameAad } from "./frame.ts";
import type { Header } from "./header.ts";
import { type EnvelopeCrypto, isHkdfKey } from "./keys.ts";
import { TAG_LENGTH } from "./suite.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes that the layer adds to a frame: its tag. It has the frame's IV, under a key that no other message has. */
export const LAYER_OVERHEAD = TAG_LENGTH;

const LABEL = /* @__PURE__ */ utf8("coffer-layer-content-v1");

/** `id` names the key, HKDF and not extractable, with the single usage deriveKey. */
export type Layer = { id: string; key: CryptoKey };

/** The key of this message's layer, for one direction. Throws `key-unusable`. */
export async function deriveLayerKey(
  subtle: EnvelopeCrypto,
  key: CryptoKey,
  { messageId }: Pick<Header, "messageId">,
  usage: "encrypt" | "decrypt",
): Promise<CryptoKey> {
  if (!isHkdfKey(key)) throw new CofferError("key-unusable");
  const algorithm = { name: "HKDF", hash: "SHA-512", salt: messageId, info: LABEL };
  const derived = await subtle.deriveKey(algorithm, key, { name: "AES-GCM", length: 256 }, false, [usage]);
  if (derived.extractable !== false) throw new CofferError("key-unusable");
  return derived;
}

/** Additional data of a frame's layer: the context, and the frame's place and length; `length` is that of the plaintext. */
export function layerAad(
  { messageId, context }: Pick<Header, "messageId" | "context">,
  sequence: number,
  length: number,
  final: boolean,
): Bytes {
  return concat(serialiseContext(context), frameAad(messageId, sequence, length, final));
}
