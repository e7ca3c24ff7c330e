/**
 * What an instance presents: a certificate request for its identity key (PKCS#10, RFC 2986) and its wrapping key, which
 * cannot sign for itself (WebCrypto separates usages) and is therefore signed over by the identity key.
 */

import { decodeBase64url } from "#protocol/base64url.ts";
import { equalConstantTime } from "#protocol/bytes.ts";
import type { Redemption } from "#protocol/contract/index.ts";
import { hybridProofInput, isHybridSpki } from "#protocol/hybrid.ts";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import { ATTESTATION_ATTRIBUTE, evidenceIn, wrappingProofInput } from "#protocol/pki/index.ts";
import type { Evidence } from "./types.ts";
import { x509 } from "./x509.ts";

const MIN_MODULUS = 3072;
const MAX_MODULUS = 4096;
const CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7";
const P256 = { name: "ECDSA", namedCurve: "P-256" };

/** The keys of an instance, proven to be held by the party that answered this nonce. SPKI DER. */
export type InstanceKeys = {
  identity: Uint8Array<ArrayBuffer>;
  identityThumbprint: string;
  wrapping: Uint8Array<ArrayBuffer>;
  wrappingModulusLength: number;
  /** Of a hybrid recipient: X25519 and ML-KEM-768. */
  hybrid?: HybridSpki | undefined;
};

export type HybridSpki = { agreement: Uint8Array<ArrayBuffer>; kem: Uint8Array<ArrayBuffer> };

/** What of a request was verified; `evidence` only that there is one piece, which is signed for with the rest. */
export type VerifiedRequest = { keys: InstanceKeys; evidence: Evidence | null };

/** Verifies all of it; throws `Error` with the reason (for the audit log) otherwise. The request's subject is ignored. */
export async function verifyRequest(request: Redemption, nonce: Uint8Array): Promise<VerifiedRequest> {
  const { spki: identity, evidence } = await verifyIdentity(decodeBase64url(request.identityRequest), nonce);
  const { spki: wrapping, modulusLength } = await checkWrappingKey(decodeBase64url(request.wrappingKey));
  const key = await crypto.subtle.importKey("spki", identity, P256, true, ["verify"]);
  const proves = (proof: string, input: Uint8Array<ArrayBuffer>) =>
    crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, decodeBase64url(proof), input);
  if (!(await proves(request.wrappingProof, wrappingProofInput(nonce, wrapping))))
    throw new Error("the identity key did not sign for the wrapping key");
  let hybrid: HybridSpki | undefined;
  if (request.hybrid) {
    const { agreementKey, kemKey, proof } = request.hybrid;
    hybrid = checkHybridKeys({ agreement: decodeBase64url(agreementKey), kem: decodeBase64url(kemKey) });
    if (!(await proves(proof, hybridProofInput(nonce, hybrid))))
      throw new Error("the identity key did not sign for the hybrid keys");
  }
  const identityThumbprint = await thumbprint(jwkFromSpki(identity));
  const keys = { identity, identityThumbprint, wrapping, wrappingModulusLength: modulusLength, hybrid };
  return { keys, evidence };
}

/** Throws `Error` unless each is of its kind, in the one form that it has. Whether ML-KEM's is a good one the HSM finds out. */
export function checkHybridKeys(keys: HybridSpki): HybridSpki {
  for (const kind of ["agreement", "kem"] as const)
    if (!isHybridSpki(kind, keys[kind])) throw new Error(`${kind} key is not of its kind`);
  return keys;
}

async function verifyIdentity(
  der: Uint8Array<ArrayBuffer>,
  nonce: Uint8Array,
): Promise<{ spki: Uint8Array<ArrayBuffer>; evidence: Evidence | null }> {
  const request = new x509.Pkcs10CertificateRequest(der);
  const spki = new Uint8Array(request.publicKey.rawData);
  jwkFromSpki(spki); // P-256, uncompressed, and nothing else
  const { name, hash } = request.signatureAlgorithm as { name: string; hash: { name: string } };
  if (name !== "ECDSA" || hash.name !== "SHA-256")
    throw new Error("request is not signed with ECDSA and SHA-256");
  const challenges = request.attributes.filter((attribute) => attribute.type === CHALLENGE_PASSWORD);
  const [challenge] = challenges;
  if (challenges.length !== 1 || !(challenge instanceof x509.ChallengePasswordAttribute)) {
    throw new Error("request carries no nonce");
  }
  if (!equalConstantTime(decodeBase64url(challenge.password), nonce))
    throw new Error("request carries another nonce");
  if (!(await request.verify())) throw new Error("request is not signed by its key");
  return { spki, evidence: evidenceOf(request) };
}

/** One attribute with one value (RFC 2986 §4.1), or none. */
function evidenceOf({ attributes }: { attributes: x509.Attribute[] }): Evidence | null {
  const [attribute, ...more] = attributes.filter(({ type }) => type === ATTESTATION_ATTRIBUTE);
  if (attribute === undefined) return null;
  const [value, ...others] = attribute.values;
  if (value === undefined || others.length > 0 || more.length > 0)
    throw new Error("request carries evidence more than once");
  return evidenceIn(new Uint8Array(value));
}

/** Throws `Error` unless it is an RSA key of the size and exponent that are taken, in canonical DER. */
export async function checkWrappingKey(spki: Uint8Array<ArrayBuffer>) {
  const key = await crypto.subtle.importKey("spki", spki, { name: "RSA-OAEP", hash: "SHA-256" }, true, [
    "encrypt",
  ]);
  const { modulusLength, publicExponent } = key.algorithm as CryptoKeyRsaKeyAlgorithm;
  if (modulusLength < MIN_MODULUS || modulusLength > MAX_MODULUS)
    throw new Error(`wrapping key has ${modulusLength} bits`);
  if ((publicExponent as Uint8Array).join() !== "1,0,1")
    throw new Error("wrapping key's exponent is not 65537");
  const canonical = new Uint8Array((await crypto.subtle.exportKey("spki", key)) as ArrayBuffer);
  if (!equalConstantTime(canonical, spki)) throw new Error("wrapping key is not canonical DER");
  return { spki: canonical, modulusLength };
}
