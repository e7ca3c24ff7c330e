/**
 * Private keys that are not in this process, but in a device that works with them: a PKCS#11 token, say. Hosts that have
 * one give what it does in place of a key; a browser has none.
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** ECDSA P-256 with SHA-256 over `bytes`, r || s (C_Sign). */
export interface SigningDevice {
  sign(bytes: Bytes): Promise<Bytes>;
}

/**
 * RSA-OAEP with SHA-256 (C_UnwrapKey): what was wrapped, as a key of this algorithm and with this one usage, which cannot be
 * exported. Rejects for what does not decrypt.
 */
export interface UnwrappingDevice {
  unwrapKey(wrapped: Bytes, as: { name: string; length?: number }, usage: KeyUsage): Promise<CryptoKey>;
}

export type IdentityKey = CryptoKey | SigningDevice;
export type WrappingKey = CryptoKey | UnwrappingDevice;

/** Whether a key is a device's. A store gives handles alone, as functions cannot be stored. */
export function isDevice(key: IdentityKey): key is SigningDevice;
export function isDevice(key: WrappingKey): key is UnwrappingDevice;
export function isDevice(key: object): boolean {
  const does = (name: string) => name in key && typeof key[name as keyof typeof key] === "function";
  return does("sign") || does("unwrapKey");
}
