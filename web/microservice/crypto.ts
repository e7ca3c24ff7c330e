/** References to WebCrypto, taken before any foreign message is handled, so that nobody can come in between. */

const METHODS = [
  "decrypt",
  "deriveKey",
  "digest",
  "encrypt",
  "exportKey",
  "generateKey",
  "importKey",
  "sign",
  "unwrapKey",
  "verify",
  "wrapKey",
] as const;

export type Subtle = Pick<SubtleCrypto, (typeof METHODS)[number]> & {
  /** Where the engine has it (Modern Algorithms in the Web Cryptography API, §13). */
  decapsulateKey?(
    algorithm: string,
    key: CryptoKey,
    ciphertext: Uint8Array<ArrayBuffer>,
    sharedKeyAlgorithm: string,
    extractable: false,
    usages: readonly KeyUsage[],
  ): Promise<CryptoKey>;
};
export type Crypto = { subtle: Subtle; random(array: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> };

/** Call this first thing in a realm. */
export function captureCrypto(source: {
  subtle: SubtleCrypto;
  getRandomValues: globalThis.Crypto["getRandomValues"];
}): Crypto {
  const { subtle } = source;
  const methods = [...METHODS, "decapsulateKey" as const].map((name) => {
    const method = (subtle as Subtle)[name] as ((...args: never[]) => unknown) | undefined;
    return [name, method?.bind(subtle)];
  });
  return Object.freeze({
    subtle: Object.freeze(Object.fromEntries(methods) as Subtle),
    random: source.getRandomValues.bind(source) as Crypto["random"],
  });
}
