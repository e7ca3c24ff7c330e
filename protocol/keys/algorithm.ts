/** What kinds of data key there are, and what can be done with a key of each; a policy can only narrow that. */

import type { KeyOperation } from "../policy/index.ts";

export const KEY_ALGORITHMS = {
  /** The suite 0x0478 of the document format. */
  "AES-256-GCM-HKDF-SHA512-COMMIT-KEY": ["encrypt", "decrypt"],
  /** HMAC (FIPS 198-1) with SHA-256 under a key that HKDF-SHA-512 derives from the data key. */
  "HMAC-SHA256-HKDF-SHA512": ["mac", "macVerify"],
} as const satisfies Record<string, readonly KeyOperation[]>;

export type KeyAlgorithm = keyof typeof KEY_ALGORITHMS;
export const KEY_ALGORITHM_NAMES = /* @__PURE__ */ Object.keys(KEY_ALGORITHMS) as readonly KeyAlgorithm[];
export const DOCUMENT_ALGORITHM = "AES-256-GCM-HKDF-SHA512-COMMIT-KEY" satisfies KeyAlgorithm;

/** The operations of an algorithm. */
export function operationsOf(algorithm: KeyAlgorithm): readonly KeyOperation[] {
  return KEY_ALGORITHMS[algorithm];
}
