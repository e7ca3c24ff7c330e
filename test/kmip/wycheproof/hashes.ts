import type { CryptographicParameters } from "#protocol/kmip/index.ts";

/** Hash functions: the vectors' names, and KMIP's (KMIP 2.1 §11.21 Hashing Algorithm). */

type Hash = NonNullable<CryptographicParameters["hashingAlgorithm"]>;

const HASHES: Readonly<Record<string, { kmip: Hash; length: number }>> = {
  "SHA-1": { kmip: "SHA_1", length: 20 },
  "SHA-224": { kmip: "SHA_224", length: 28 },
  "SHA-256": { kmip: "SHA_256", length: 32 },
  "SHA-384": { kmip: "SHA_384", length: 48 },
  "SHA-512": { kmip: "SHA_512", length: 64 },
  "SHA-512/224": { kmip: "SHA_512_224", length: 28 },
  "SHA-512/256": { kmip: "SHA_512_256", length: 32 },
  "SHA3-224": { kmip: "SHA3_224", length: 28 },
  "SHA3-256": { kmip: "SHA3_256", length: 32 },
  "SHA3-384": { kmip: "SHA3_384", length: 48 },
  "SHA3-512": { kmip: "SHA3_512", length: 64 },
};

/** Undefined for hash functions that KMIP has no name for. */
export function hashOf(name: unknown): { kmip: Hash; length: number } | undefined {
  const text = String(name)
    .replace(/^SHA(\d{3})/, "SHA-$1")
    .replace(/^SHA1$/, "SHA-1");
  return HASHES[text];
}

/** For vectors whose hash is known to be one of KMIP's. */
export function kmipHash(name: unknown): Hash {
  const hash = hashOf(name);
  if (!hash) throw new Error(`KMIP has no hash ${String(name)}`);
  return hash.kmip;
}
