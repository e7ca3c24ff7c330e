/**
 * Recipients in the HSM: the wrapping certificate and its public key. The HSM verifies the certificate's chain itself and
 * wraps to no other key, so a compromised edge cannot have keys released to a key of its own.
 */

import { named, recipientNames, TO_RECIPIENT } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { Hsm } from "../hsm/index.ts";

export type NewRecipient = {
  /** Id of the instance. Both objects are named after it, so that they are found whatever became of an answer. */
  instance: string;
  certificate: Uint8Array<ArrayBuffer>;
  spki: Uint8Array<ArrayBuffer>;
  modulusLength: number;
  activation: Date;
};

/** Registers both, certificate first; returns the unique identifier of the public key at the HSM. */
export async function registerRecipient(hsm: Hsm, made: NewRecipient): Promise<string> {
  const { instance, certificate, spki, modulusLength, activation } = made;
  const names = recipientNames(instance);
  const registered = await hsm.request("Register", {
    objectType: "Certificate",
    attributes: { name: named(names.certificate) },
    object: { certificate: { certificateType: "X_509", certificateValue: certificate } },
  });
  const { uniqueIdentifier } = await hsm.request("Register", {
    objectType: "PublicKey",
    attributes: {
      name: named(names.key),
      cryptographicAlgorithm: "RSA",
      cryptographicLength: modulusLength,
      cryptographicUsageMask: ["WrapKey"],
      cryptographicParameters: [TO_RECIPIENT],
      activationDate: activation,
      link: [{ linkType: "CertificateLink", linkedObjectIdentifier: registered.uniqueIdentifier }],
    },
    object: {
      publicKey: {
        keyBlock: {
          keyFormatType: "X_509",
          keyValue: { keyMaterial: spki },
          cryptographicAlgorithm: "RSA",
          cryptographicLength: modulusLength,
        },
      },
    },
  });
  return uniqueIdentifier;
}

/** Takes an instance's recipient out of use and removes it. Throws unless the HSM says afterwards that it is gone. */
export async function removeRecipient(hsm: Hsm, instance: string): Promise<void> {
  const found = await objectsOf(hsm, instance);
  if (found.length === 0) return;
  await hsm.batch(
    found.flatMap((uniqueIdentifier) => [
      {
        // Refused for a certificate, which was never active; Destroy is what counts.
        operation: "Revoke" as const,
        payload: {
          uniqueIdentifier,
          revocationReason: { revocationReasonCode: "CessationOfOperation" as const },
        },
      },
      { operation: "Destroy" as const, payload: { uniqueIdentifier } },
    ]),
    { batchErrorContinuationOption: "Continue" },
  );
  if ((await objectsOf(hsm, instance)).length > 0) throw new Error("the recipient is left at the HSM");
}

async function objectsOf(hsm: Hsm, instance: string): Promise<string[]> {
  const { key, certificate } = recipientNames(instance);
  const answers = await hsm.batch(
    // The key first: when it is gone nothing is released any more.
    [key, certificate].map((name) => ({
      operation: "Locate" as const,
      payload: { attributes: { name: named(name) } },
    })),
    { batchErrorContinuationOption: "Continue" },
  );
  return answers.flatMap((answer) => {
    if (answer.resultStatus !== "Success" || !answer.payload) {
      throw new KmipError(answer.resultReason ?? "GeneralFailure");
    }
    return answer.payload.uniqueIdentifier;
  });
}
