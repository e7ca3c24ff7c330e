import type { Signer } from "./signer.ts";

/**
 * What `X509CertificateGenerator.create(params, crypto)` of @peculiar/x509 needs to have a certificate signed by the
 * HSM: pass `signingKey: certificateSigningKey` and `certificateCrypto(hsm, <name of the authority's key>)` as its `crypto`. Only
 * the to-be-signed bytes go to the HSM; the placeholder holds no key.
 */
export const certificateSigningKey = {
  type: "private",
  extractable: false,
  algorithm: { name: "ECDSA", namedCurve: "P-256" },
  usages: ["sign"],
} as CryptoKey;

export function certificateCrypto(hsm: Signer, keyName: string): Crypto {
  const subtle = new Proxy(crypto.subtle, {
    get(target, property) {
      if (property === "sign") {
        return async (_algorithm: unknown, _key: unknown, data: ArrayBuffer | ArrayBufferView) => {
          const bytes = ArrayBuffer.isView(data)
            ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
            : new Uint8Array(data);
          const signature = await hsm.sign(keyName, bytes);
          return signature.buffer;
        };
      }
      const member: unknown = Reflect.get(target, property, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  return {
    subtle,
    getRandomValues: crypto.getRandomValues.bind(crypto),
    randomUUID: crypto.randomUUID.bind(crypto),
  } as Crypto;
}
