/**
 * Opens a data key that came as CMS EnvelopedData, from AWS KMS to an instance in an enclave (M19). The content-encryption key and the
 * data key are unwrapped one under the other: no byte of either reaches JavaScript. A part of Node hosts alone; the measured bundle of
 * the browser has none of it, where no enclave is.
 */

import { CofferError } from "#protocol/error.ts";
import { parseEnvelopedData } from "#protocol/pki/index.ts";
import type { Subtle } from "./crypto.ts";
import { isDevice, type WrappingKey } from "./device.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const CBC = { name: "AES-CBC", length: 256 };
/** 32 bytes and their padding. */
const LENGTH = 48;

/** The data key, as an HKDF key with the single usage deriveKey. Throws `key-refused` for all that does not open. */
export async function unwrapEnveloped(
  subtle: Pick<Subtle, "unwrapKey">,
  wrappingKey: WrappingKey,
  cms: Bytes,
): Promise<CryptoKey> {
  let key: CryptoKey;
  try {
    if (isDevice(wrappingKey)) throw new TypeError("a device unwraps no key under another");
    const { encryptedKey, iv, content } = parseEnvelopedData(cms);
    if (content.length !== LENGTH) throw new TypeError("not the length of a data key");
    const contentKey = await subtle.unwrapKey("raw", encryptedKey, wrappingKey, "RSA-OAEP", CBC, false, [
      "unwrapKey",
    ]);
    const by = { name: "AES-CBC", iv };
    // An HKDF key may have any length, and this one's is under the padding: as an AES key it has 32 bytes or none is made.
    await subtle.unwrapKey("raw", content, contentKey, by, { name: "AES-GCM", length: 256 }, false, [
      "decrypt",
    ]);
    key = await subtle.unwrapKey("raw", content, contentKey, by, "HKDF", false, ["deriveKey"]);
  } catch (cause) {
    throw new CofferError("key-refused", { cause });
  }
  if (key.extractable !== false || key.usages.join() !== "deriveKey") throw new CofferError("key-unusable");
  return key;
}
