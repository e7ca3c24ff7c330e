/**
 * protocol/evidence: attestation evidence, one file a format behind `EvidenceFormat`, and its verification. WebCrypto
 * and protocol/ alone, so that one verifier serves the edge, the HSM and browsers; and the results of appraisal. May import:
 * protocol/*.ts, protocol/keys, protocol/pki, protocol/policy, types of protocol/kmip. Imported by emulator/hsm,
 * edge/verifier and edge/ra; never by web/microservice, which makes it.
 */
import type { AttestationType } from "../kmip/index.ts";
import type { Tier } from "../policy/index.ts";
import { ENCLAVE_EMULATOR } from "./enclave-emulator.ts";
import type { Claims, EvidenceFormat, Expectation } from "./format.ts";
import { NITRO, NITRO_EMULATED } from "./nitro.ts";
import { ENCRYPTED_CREDENTIAL, SIGNED_CREDENTIAL } from "./platform-credential.ts";
import { checkVersion } from "./platform-version.ts";
import { TPM } from "./tpm.ts";
import { WEBAUTHN } from "./webauthn.ts";

export { type CborMap, type CborValue, decodeCbor } from "./cbor.ts";
export type { Claims, EvidenceFormat, Expectation, Passkey, PlatformSecret } from "./format.ts";
export { keySaidIn, type VerifiedNitroDocument, verifyNitroDocument } from "./nitro.ts";
export type { NitroDocument } from "./nitro-document.ts";
export { AWS_NITRO_ROOT_G1 } from "./nitro-root.ts";
export { type PasskeyResult, signPasskey, verifyPasskey } from "./passkey-result.ts";
export { isPlatformVersion } from "./platform-version.ts";
export {
  isMeasuredInVault,
  MEASURED,
  type Release,
  type ReleaseFiles,
  signRelease,
  verifyRelease,
} from "./release.ts";
export {
  type Appraisal,
  type Asked,
  RESULT_SECONDS,
  signResult,
  type VerifierKey,
  verifyResult,
} from "./result.ts";
export { checkNotRevoked } from "./revoked.ts";
export { type QuoteFiles, type VerifiedQuote, verifyQuote } from "./tpm.ts";

export { counterOf, readAssertion } from "./webauthn.ts";

/** The formats that are known. */
const FORMATS: readonly EvidenceFormat[] = [
  ...[ENCLAVE_EMULATOR, NITRO, NITRO_EMULATED, TPM],
  ...[SIGNED_CREDENTIAL, ENCRYPTED_CREDENTIAL, WEBAUTHN],
];

/** What the formats are called in KMIP that a party can verify which knows roots alone, as the HSM does. */
export const ATTESTATION_TYPES: readonly AttestationType[] = FORMATS.filter(
  ({ anchors }) => anchors !== "keys",
).map(({ attestationType }) => attestationType);

/** The evidence of the enclave emulator as an Attestation Type. */
export const ENCLAVE_EVIDENCE = ENCLAVE_EMULATOR.attestationType;

/** AWS's documents, and those of emulated Nitro enclaves, as Attestation Types. */
export const NITRO_EVIDENCE = NITRO.attestationType;
export const EMULATED_NITRO_EVIDENCE = NITRO_EMULATED.attestationType;

/** A quote of a TPM 2.0 as an Attestation Type. */
export const TPM_EVIDENCE = TPM.attestationType;

/** How far what a type of evidence vouches for can be trusted at the most, by its media type; undefined for none that is known. */
export function tierOf(type: string): Tier | undefined {
  return FORMATS.find(({ mediaType }) => mediaType === type)?.tier;
}

/** The media types of the evidence of emulated platforms, which this repository makes. */
export const EMULATED_EVIDENCE = {
  eat: ENCLAVE_EMULATOR.mediaType,
  nitro: NITRO_EMULATED.mediaType,
  /** M1's variants: a credential that the platform's key has signed, or under which it is encrypted. */
  signed: SIGNED_CREDENTIAL.mediaType,
  encrypted: ENCRYPTED_CREDENTIAL.mediaType,
} as const;

const MAX_REGISTERS = 64;
/** SHA-256, SHA-384 and SHA-512. */
const DIGEST = /^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/;

/**
 * Verifies evidence of the format that `type` names, by media type or Attestation Type. Throws an `Error` with the reason,
 * for a log: who sent it is told one thing, whatever is wrong.
 */
export async function verifyEvidence(
  type: string | number | undefined,
  evidence: Uint8Array,
  expected: Expectation,
  formats = FORMATS,
): Promise<Claims> {
  const format = formats.find(
    ({ mediaType, attestationType }) => type === mediaType || type === attestationType,
  );
  if (!format) throw new Error("not an accepted type");
  if (expected.production && format.tier === "emulated")
    throw new Error("emulated platforms are not for production");
  if (evidence.length > format.limit) throw new Error("evidence is too long");
  if (expected.nonce.length < 8 || expected.nonce.length > 64) throw new Error("not a nonce");
  const claims = await format.verify(evidence, expected);
  const registers = Object.entries(claims.measurements);
  const bounded =
    registers.length <= MAX_REGISTERS &&
    registers.every(([name, digest]) => /^[a-z][a-z0-9-]{0,31}$/.test(name) && DIGEST.test(digest));
  if (!bounded || !Object.hasOwn(claims.measurements, "code")) throw new Error("the measurement is missing");
  checkVersion(claims.platform?.version, expected.minVersion);
  if (!(expected.now < claims.expires)) throw new Error("not the time of this evidence");
  return claims;
}
