import { createCipheriv, createDecipheriv } from "node:crypto";
import { KmipError } from "#protocol/kmip/index.ts";

/** AES-KW (RFC 3394, `NISTKeyWrap`) takes whole 8-byte blocks; AES-KWP (RFC 5649, `AESKeyWrapPadding`) any length. */
export type AesKeyWrap = "NISTKeyWrap" | "AESKeyWrapPadding";

const INITIAL = {
  NISTKeyWrap: Buffer.from("a6a6a6a6a6a6a6a6", "hex"),
  AESKeyWrapPadding: Buffer.from("a65959a6", "hex"),
};
const CIPHER = { NISTKeyWrap: "wrap", AESKeyWrapPadding: "wrap-pad" };

/** Wrapping goes six times over the data, without a pause: what is wrapped is bounded, far beyond the length of keys. */
const MAX_WRAPPED_BYTES = 65_536;

/** Throws `InvalidField` for more bytes than are wrapped here. */
export function checkWrappable(data: Uint8Array): void {
  if (data.length > MAX_WRAPPED_BYTES) throw new KmipError("InvalidField", "Too long for key wrap");
}

/** Throws `InvalidField` for more bytes than wrapping may have made: the header is 8. */
export function checkUnwrappable(data: Uint8Array): void {
  if (data.length > MAX_WRAPPED_BYTES + 8) throw new KmipError("InvalidField", "Too long for key wrap");
}

/** Wraps `data` under an AES key of 16, 24 or 32 bytes. */
export function wrapAes(method: AesKeyWrap, kek: Uint8Array, data: Uint8Array): Uint8Array {
  checkWrappable(data);
  if (method === "NISTKeyWrap" && (data.length < 16 || data.length % 8 !== 0))
    throw new KmipError("CryptographicFailure", "AES key wrap takes 16 bytes or more, in blocks of 8");
  if (data.length === 0) throw new KmipError("CryptographicFailure", "Nothing to wrap");
  const cipher = createCipheriv(cipherName(method, kek), kek, INITIAL[method]);
  return new Uint8Array(Buffer.concat([cipher.update(data), cipher.final()]));
}

/** Unwraps and verifies; one error for whatever is wrong. */
export function unwrapAes(method: AesKeyWrap, kek: Uint8Array, wrapped: Uint8Array): Uint8Array {
  checkUnwrappable(wrapped);
  const minimum = method === "NISTKeyWrap" ? 24 : 16;
  const name = cipherName(method, kek);
  try {
    if (wrapped.length < minimum || wrapped.length % 8 !== 0) throw new RangeError("length");
    const decipher = createDecipheriv(name, kek, INITIAL[method]);
    return new Uint8Array(Buffer.concat([decipher.update(wrapped), decipher.final()]));
  } catch {
    throw new KmipError("CryptographicFailure", "The wrapped key does not open");
  }
}

function cipherName(method: AesKeyWrap, kek: Uint8Array): string {
  if (![16, 24, 32].includes(kek.length)) throw new KmipError("CryptographicFailure", "Not an AES key");
  return `id-aes${kek.length * 8}-${CIPHER[method]}`;
}
