/** The algorithms of keys that sign (M17), by their names in JWA, as WebCrypto has them. */

/** ML-DSA-65 (FIPS 204) among KMIP's cryptographic algorithms: 2.1 has none such, so it is an extension (8XXXXXXX). */
export const ML_DSA_65 = 0x80000065;
/** Bytes of its public key (FIPS 204 §4). */
export const ML_DSA_65_LENGTH = 1952;

type Keys = { name: string; namedCurve?: string; hash?: string };
type WebSignature = { keys: Keys; sign: { name: string; hash?: string; saltLength?: number } };

/** ECDSA is r || s there (P1363); the salt of RSA-PSS is as long as the digest (RFC 7518 §3.5). */
export const WEB_SIGNATURES = {
  ES256: { keys: { name: "ECDSA", namedCurve: "P-256" }, sign: { name: "ECDSA", hash: "SHA-256" } },
  ES384: { keys: { name: "ECDSA", namedCurve: "P-384" }, sign: { name: "ECDSA", hash: "SHA-384" } },
  Ed25519: { keys: { name: "Ed25519" }, sign: { name: "Ed25519" } },
  PS256: { keys: { name: "RSA-PSS", hash: "SHA-256" }, sign: { name: "RSA-PSS", saltLength: 32 } },
  "ML-DSA-65": { keys: { name: "ML-DSA-65" }, sign: { name: "ML-DSA-65" } },
} as const satisfies Record<string, WebSignature>;

type Bytes = Uint8Array<ArrayBuffer>;

/** Whether it is the signature of that data by the private half of this key: SubjectPublicKeyInfo, DER. */
export async function verifySignature(
  subtle: Pick<SubtleCrypto, "importKey" | "verify">,
  { algorithm, publicKey }: { algorithm: keyof typeof WEB_SIGNATURES; publicKey: Bytes },
  { data, signature }: { data: Bytes; signature: Bytes },
): Promise<boolean> {
  const { keys, sign } = WEB_SIGNATURES[algorithm];
  const key = await subtle.importKey("spki", publicKey, keys, false, ["verify"]);
  return subtle.verify(sign, key, signature, data);
}
