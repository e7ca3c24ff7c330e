import { utf8 } from "../bytes.ts";
import { jwsParts } from "../jws.ts";
import { parseCertificate, verifyChain } from "../pki/index.ts";
import { claimsIn, objectIn, textOf } from "./claims.ts";
import { EMULATED_POLICY } from "./emulated.ts";
import type { EvidenceFormat, Expectation } from "./format.ts";
import { checkNotRevoked } from "./revoked.ts";

/**
 * The evidence of the enclave emulator: an EAT (RFC 9711; `eat+jwt`, ES256, certificate of the platform key in `x5c`), as a
 * vendor's Attestation Type.
 */
export const ENCLAVE_EMULATOR = {
  mediaType: 'application/eat+jwt; eat_profile="tag:coffer,2026:enclave-emulator#1"',
  attestationType: 0x80000001,
  tier: "emulated",
  limit: 8192,
  async verify(evidence, expected) {
    const { header, payload, signature, input } = jwsParts(textOf(evidence));
    const key = await platformKey(objectIn(header), expected);
    // Engines do not agree on what to do with another length.
    const whole = signature.length === ES256_SIGNATURE;
    if (!whole || !(await crypto.subtle.verify(ES256, key, signature, utf8(input))))
      throw new Error("the signature is wrong");
    return claimsIn(objectIn(payload), expected);
  },
} as const satisfies EvidenceFormat;

/** tcg-kp-AIKCertificate, 2.23.133.8.3: DER of the object identifier in hexadecimal. */
const ATTESTATION_KEY = "06056781050803";
const ES256_SIGNATURE = 64;
const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** The key of the certificate in the header, under one of the roots now. */
async function platformKey(
  { alg, typ, x5c, ...others }: Record<string, unknown>,
  { roots, now, revoked = [] }: Expectation,
): Promise<CryptoKey> {
  if (alg !== "ES256" || typ !== "eat+jwt" || Object.keys(others).length > 0)
    throw new Error("not the header of evidence");
  const [text, ...more] = Array.isArray(x5c) ? (x5c as unknown[]) : [];
  if (typeof text !== "string" || more.length > 0) throw new Error("one certificate is expected");
  const certificate = parseCertificate(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
  if (!(certificate.notBefore <= now && now <= certificate.notAfter))
    throw new Error("the certificate of the platform key is not valid now");
  const under = async (der: Uint8Array) => {
    const root = parseCertificate(der);
    await verifyChain(crypto.subtle, [certificate, root], root.spki, now);
  };
  // A root of another kind vouches for nothing here.
  await Promise.any(roots.map(under)).catch(() => {
    throw new Error("the platform key is not under a root");
  });
  if (!certificate.purposes.includes(ATTESTATION_KEY))
    throw new Error("the platform key is not for attestation");
  if (!certificate.policies.includes(EMULATED_POLICY))
    throw new Error("the certificate of an emulated platform must say so");
  await checkNotRevoked([certificate.spki], { revoked });
  return crypto.subtle.importKey("spki", certificate.spki, ES256, true, ["verify"]);
}
