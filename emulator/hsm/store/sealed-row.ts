import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import { utf8 } from "#protocol/bytes.ts";

/** Bytes of a nonce. */
export const NONCE = 12;
const TAG = 16;

/**
 * Encrypts the store's rows with AES-256-GCM: nonce (12 bytes, random), ciphertext of what v8 serializes, tag (16 bytes). The row's
 * identifier is authenticated with it, so that a row cannot take the place of another. What is sealed is
 * the authority: indexed columns beside it only find it.
 */
export class RowSealer {
  #key: KeyObject;

  /** `key` is 32 bytes; the rows' key is derived from it, so that the file can serve other purposes too. */
  constructor(key: Uint8Array) {
    const bytes = Buffer.from(hkdfSync("sha256", key, new Uint8Array(), "coffer-hsm-rows-v1", 32));
    // A KeyObject: of bytes, Node finds out each time what they are, and that takes longer than the encryption.
    this.#key = createSecretKey(bytes);
    bytes.fill(0);
  }

  /** `nonce`: random, and for this row as it is now alone. */
  seal(id: string, plain: Uint8Array, nonce: Uint8Array): Uint8Array {
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    cipher.setAAD(utf8(`coffer-hsm-row-v1\0${id}`));
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** What was sealed. Throws when the row was altered, belongs to another identifier, or was sealed under another key. */
  open(id: string, sealed: Uint8Array): Buffer {
    if (sealed.length < NONCE + TAG) throw new Error("A row of the HSM's store is damaged");
    const decipher = createDecipheriv("aes-256-gcm", this.#key, sealed.subarray(0, NONCE), {
      authTagLength: TAG,
    });
    decipher.setAAD(utf8(`coffer-hsm-row-v1\0${id}`));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
    try {
      const plain = decipher.update(sealed.subarray(NONCE, sealed.length - TAG));
      decipher.final();
      return plain;
    } catch {
      throw new Error("A row of the HSM's store is damaged, or its key file is not the one it was made with");
    }
  }
}

/** What no other sealing of the row has: its nonce (12 bytes). */
export function versionOf(sealed: Uint8Array): Uint8Array {
  return sealed.slice(0, NONCE);
}
