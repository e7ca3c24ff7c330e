/** What kinds of data key there are, and what can be done with a key of each; a policy can only narrow that. */

import type { SignatureKey } from "../hierarchy/index.ts";
import type { KeyOperation } from "../policy/index.ts";

const SIGNS = ["sign", "verify"] as const;

/** Key pairs that sign (M17): JWA's names (RFC 7518 §3.1, RFC 9864 §2.2), and ML-DSA-65 (FIPS 204). */
const SIGNATURES = {
  ES256: SIGNS,
  ES384: SIGNS,
  Ed25519: SIGNS,
  PS256: SIGNS,
  "ML-DSA-65": SIGNS,
} as const satisfies Record<SignatureKey, readonly KeyOperation[]>;

const SECRETS = {
  /** The suite 0x0478 of the document format. */
  "AES-256-GCM-HKDF-SHA512-COMMIT-KEY": ["encrypt", "decrypt"],
  /** HMAC (FIPS 198-1) with SHA-256 under a key that HKDF-SHA-512 derives from the data key. */
  "HMAC-SHA256-HKDF-SHA512": ["mac", "macVerify"],
} as const satisfies Record<string, readonly KeyOperation[]>;

const KEY_ALGORITHMS = { ...SECRETS, ...SIGNATURES };

export type SecretAlgorithm = keyof typeof SECRETS;
export type SignatureAlgorithm = keyof typeof SIGNATURES;
export type KeyAlgorithm = SecretAlgorithm | SignatureAlgorithm;
export const SECRET_ALGORITHM_NAMES = /* @__PURE__ */ Object.keys(SECRETS) as readonly SecretAlgorithm[];
export const SIGNATURE_ALGORITHM_NAMES = /* @__PURE__ */ Object.keys(
  SIGNATURES,
) as readonly SignatureAlgorithm[];
export const KEY_ALGORITHM_NAMES = /* @__PURE__ */ Object.keys(KEY_ALGORITHMS) as readonly KeyAlgorithm[];
export const DOCUMENT_ALGORITHM = "AES-256-GCM-HKDF-SHA512-COMMIT-KEY" satisfies KeyAlgorithm;

/** The operations of an algorithm. */
export function operationsOf(algorithm: KeyAlgorithm): readonly KeyOperation[] {
  return KEY_ALGORITHMS[algorithm];
}

/** Whether its keys are pairs that sign. */
export function isSignature(algorithm: string): algorithm is SignatureAlgorithm {
  return Object.hasOwn(SIGNATURES, algorithm);
}
