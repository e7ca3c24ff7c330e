/** Signatures by the public half of a key that signs (M17), in a worker: it has no key in it, so that no HSM is asked. */

import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import type { SignatureAlgorithm } from "#protocol/keys/index.ts";
import { ML_DSA_65_LENGTH, verifySignature } from "#protocol/signatures.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Whether it is the signature of that data. `publicKey`: SubjectPublicKeyInfo, DER. WebCrypto does it, but for ML-DSA, which workerd lacks. */
export async function verify(
  by: { algorithm: SignatureAlgorithm; publicKey: Bytes },
  of: { data: Bytes; signature: Bytes },
): Promise<boolean> {
  if (by.algorithm !== "ML-DSA-65") return verifySignature(crypto.subtle, by, of);
  // A signature of another length is none; the library would throw.
  if (of.signature.length !== ml_dsa65.lengths.signature) return false;
  // The public key stands at the end of its SubjectPublicKeyInfo (RFC 9881 §4).
  return ml_dsa65.verify(of.signature, of.data, by.publicKey.slice(-ML_DSA_65_LENGTH));
}
