import { type Claims, verifyEvidence } from "#protocol/evidence/index.ts";
import { roleOf } from "#protocol/hierarchy/index.ts";
import {
  type Attributes,
  type Credential,
  hasAttestation,
  KmipError,
  type RequestHeader,
} from "#protocol/kmip/index.ts";
import { requirementOf } from "../policy/attestation.ts";
import type { Nonces } from "./nonces.ts";

/** Attestation of the client in one message (KMIP 2.1 §9.3 Attestation Capable Indicator, §9.11 Credential). */
export class Attestation {
  /** Set when something asked for evidence: the response then brings a nonce and the accepted types. */
  demanded = false;
  /** What came with the message, verified. */
  readonly evidence: Claims | undefined;
  #capable: boolean;

  constructor(capable: boolean, evidence?: Claims) {
    this.#capable = capable;
    this.evidence = evidence;
  }

  /**
   * Throws unless the message carried the evidence that an object with these attributes requires, or is a piece of an
   * operation that was `begun` with it.
   */
  check(attributes: Attributes, begun?: Claims): void {
    const requirement = requirementOf(attributes);
    if (!requirement) return;
    const fulfilled = ({ measurements }: Claims) =>
      requirement.measurements?.includes(measurements.code) ?? true;
    if (this.evidence) {
      if (fulfilled(this.evidence)) return;
      throw attestationFailed();
    }
    if (begun && fulfilled(begun)) return;
    if (!this.#capable) throw new KmipError("PermissionDenied", "The object is for attested clients");
    this.demanded = true;
    throw new KmipError("AttestationRequired", "The object is for attested clients");
  }
}

/** One answer for all that can be wrong with evidence. */
export function attestationFailed(): KmipError {
  return new KmipError("AttestationFailed", "The attestation was not accepted");
}

/** Whether a client that can attest may be asked to: the roots are known, the version has it, the client said so. */
export function isCapable(
  { protocolVersion, attestationCapableIndicator }: RequestHeader,
  roots: readonly Uint8Array[],
  channel: string,
): boolean {
  return (
    roots.length > 0 &&
    attestationCapableIndicator === true &&
    hasAttestation(protocolVersion) &&
    // The domains of a deployment bring no credentials at all.
    roleOf(channel) === "user"
  );
}

/** Uses up the nonces of a message's Attestation Credentials, before anything else is looked at. Returns which were good. */
export function consumeNonces(
  { authentication }: RequestHeader,
  channel: string,
  nonces: Nonces,
  now: Date,
): ReadonlySet<Credential> {
  const good = new Set<Credential>();
  for (const credential of authentication?.credential ?? []) {
    const { nonce } = credential.credentialValue;
    if (nonce && nonces.consume(nonce, channel, now)) good.add(credential);
  }
  return good;
}

/** The evidence in an Attestation Credential whose nonce was good; throws an `Error` for the log. */
export async function evidenceOf(
  { credentialValue }: Credential,
  roots: readonly Uint8Array[],
  channel: string,
  now: Date,
): Promise<Claims> {
  const { nonce, attestationType, attestationMeasurement, attestationAssertion } = credentialValue;
  if (!nonce) throw new Error("the nonce is missing");
  const evidence = attestationAssertion ?? attestationMeasurement;
  if (!evidence || (attestationAssertion && attestationMeasurement))
    throw new Error("one measurement or assertion is expected");
  const expected = { roots, nonce: nonce.nonceValue, subject: channel, now: now.getTime() };
  return verifyEvidence(attestationType, evidence, expected);
}
