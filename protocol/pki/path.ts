/** Path validation (RFC 5280 §6) for the short paths of this system. */
import { equalConstantTime } from "../bytes.ts";
import type { Certificate } from "./certificate.ts";
import { KEY_CERT_SIGN } from "./extensions.ts";
import { ECDSA_P256, type SignatureKind, signatureFromDer } from "./signature.ts";

/** Certificates, root included. Ours have three at the most, those of Nitro enclaves five. */
const MAX_CHAIN = 8;

/**
 * Verifies that `chain` (leaf first) leads to the root whose SPKI is pinned: each certificate signed with ECDSA (P-256 and
 * SHA-256, or the given kind) by the next and valid at `now` (milliseconds), each issuer an authority that may sign
 * certificates and allows as many below it, the leaf none. The last certificate must hold the pinned key. Throws `TypeError`.
 */
export async function verifyChain(
  subtle: Pick<SubtleCrypto, "importKey" | "verify">,
  chain: Certificate[],
  rootSpki: Uint8Array,
  now: number,
  { algorithm, half }: SignatureKind = ECDSA_P256,
): Promise<void> {
  const root = chain.at(-1);
  if (!root || chain.length > MAX_CHAIN || !equalConstantTime(root.spki, rootSpki))
    throw new TypeError("another root");
  for (const [i, certificate] of chain.entries()) {
    if (certificate.authority !== i > 0) throw new TypeError("an authority in the wrong place");
    // Between an issuer and the leaf are `i - 1` others.
    if (i > 0 && (!(certificate.keyUsage & KEY_CERT_SIGN) || certificate.pathLength < i - 1))
      throw new TypeError("may not issue this");
    const issuer = chain[i + 1] ?? root;
    if (!equalConstantTime(certificate.issuer, issuer.subject)) throw new TypeError("another issuer");
    if (!(certificate.notBefore <= now && now <= certificate.notAfter))
      throw new TypeError("certificate is not valid now");
    const key = await subtle.importKey("spki", issuer.spki, algorithm, true, ["verify"]);
    const signature = signatureFromDer(certificate.signature, half);
    if (!(await subtle.verify(algorithm, key, signature, certificate.signed)))
      throw new TypeError("bad signature");
  }
}
