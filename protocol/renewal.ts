/**
 * Renewal: an enrolled instance gets certificates for the same keys by itself, before those that it has end. Imported by
 * protocol/contract, edge/ra and web/microservice.
 */

import { concat, utf8 } from "./bytes.ts";

/**
 * What the identity key signs, ECDSA P-256 with SHA-256: `"coffer-renewal-v1" 00 || SHA-256(identity certificate) ||
 * SHA-256(wrapping certificate)`, and the same of the certificates of a hybrid recipient where there are any; digests of the DER. The
 * certificates are renewed once, so it needs no nonce.
 */
export async function renewalInput(
  subtle: Pick<SubtleCrypto, "digest">,
  certificates: {
    identity: Uint8Array<ArrayBuffer>;
    wrapping: Uint8Array<ArrayBuffer>;
    /** X25519, ML-KEM-768. */
    hybrid?: readonly Uint8Array<ArrayBuffer>[];
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const digest = async (der: Uint8Array<ArrayBuffer>) => new Uint8Array(await subtle.digest("SHA-256", der));
  const { identity, wrapping, hybrid = [] } = certificates;
  const digests = await Promise.all([identity, wrapping, ...hybrid].map(digest));
  return concat(utf8("coffer-renewal-v1\0"), ...digests);
}
