import type { CryptographicParameters } from "../kmip/index.ts";
import { ML_DSA_65 } from "../signatures.ts";

/**
 * Key pairs that sign for an account (M17), by their names in JWA (RFC 7518 §3.1, RFC 9864 §2.2), ML-DSA by COSE's and JOSE's: what the HSM makes, and how it
 * signs. ECDSA by the HSM is DER (RFC 3279 §2.2.3).
 */
export const SIGNATURE_KEYS = {
  ES256: {
    key: { cryptographicAlgorithm: "EC", cryptographicDomainParameters: { recommendedCurve: "P_256" } },
    sign: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
  },
  ES384: {
    key: { cryptographicAlgorithm: "EC", cryptographicDomainParameters: { recommendedCurve: "P_384" } },
    sign: { digitalSignatureAlgorithm: "ECDSAWithSHA384" },
  },
  Ed25519: { key: { cryptographicAlgorithm: "Ed25519" }, sign: {} },
  PS256: {
    key: { cryptographicAlgorithm: "RSA", cryptographicLength: 3072 },
    sign: { digitalSignatureAlgorithm: "RSASSA_PSS", hashingAlgorithm: "SHA_256", saltLength: 32 },
  },
  "ML-DSA-65": { key: { cryptographicAlgorithm: ML_DSA_65 }, sign: {} },
} as const satisfies Record<
  string,
  {
    key: {
      cryptographicAlgorithm: "EC" | "Ed25519" | "RSA" | typeof ML_DSA_65;
      cryptographicLength?: number;
      cryptographicDomainParameters?: { recommendedCurve: "P_256" | "P_384" };
    };
    sign: CryptographicParameters;
  }
>;
export type SignatureKey = keyof typeof SIGNATURE_KEYS;
