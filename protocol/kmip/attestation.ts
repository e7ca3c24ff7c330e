/**
 * The client's side of attestation (KMIP 2.1 §9.3 Attestation Capable Indicator, §9.11 Credential): what answers a server
 * that asks for it, and when.
 */

import type { EnumerationName } from "./dictionary.ts";
import type { Bytes } from "./item.ts";
import type { ResponseHeader, ResponseItem, ResponseMessage } from "./messages.ts";
import type { Credential, Nonce } from "./parameters.ts";
import { isRead } from "./reads.ts";
import type { ProtocolVersion } from "./version.ts";

/** A kind of attestation; vendors' own are numbers from 0x80000000. */
export type AttestationType = EnumerationName<"AttestationType">;

/** Value of an Attestation Credential (KMIP 2.1 §9.11 Credential) without its Nonce: either a measurement or an assertion. */
export type AttestationCredential =
  | { attestationType: AttestationType; attestationAssertion: Bytes }
  | { attestationType: AttestationType; attestationMeasurement: Bytes };

/**
 * Makes evidence over the server's nonce, of one of the types that it accepts. Returns undefined where it can make
 * none of these: the caller then gets the server's refusal. What it throws goes to the caller.
 */
export type Attest = (
  nonce: Nonce,
  acceptedTypes: readonly AttestationType[],
) => Promise<AttestationCredential | undefined>;

/** KMIP 1.2 brought attestation. */
export function hasAttestation({ major, minor }: ProtocolVersion): boolean {
  return major > 1 || minor >= 2;
}

/**
 * Whether the server asked for attestation, and nothing stands in the way of sending the whole message again: what
 * it did of it, it did undo, or it only read.
 */
export function mayRepeat({ header, items }: ResponseMessage): boolean {
  const isHarmless = ({ resultStatus, operation }: ResponseItem) =>
    resultStatus === "OperationFailed" ||
    resultStatus === "OperationUndone" ||
    (resultStatus === "Success" && isRead(operation));
  return (
    header.nonce !== undefined &&
    items.some(({ resultReason }) => resultReason === "AttestationRequired") &&
    items.every(isHarmless)
  );
}

/** The credential that answers the nonce in a response header. */
export async function answered(
  { nonce, attestationType: types = [] }: ResponseHeader,
  attest: Attest,
): Promise<Credential | undefined> {
  const value = nonce && (await attest(nonce, types));
  return value && { credentialType: "Attestation", credentialValue: { nonce, ...value } };
}
