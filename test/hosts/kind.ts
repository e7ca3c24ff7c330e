import { isSignature, type KeyAlgorithm } from "#protocol/keys/index.ts";

/** What an order for a key of that kind says. */
export function kindOf(algorithm: KeyAlgorithm) {
  return { purpose: isSignature(algorithm) ? "signature" : "data", algorithm };
}
