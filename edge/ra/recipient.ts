/**
 * Recipients in the HSM: the wrapping certificate and its public key. The HSM verifies the certificate's chain itself and
 * wraps to no other key, so a compromised edge cannot have keys released to a key of its own.
 */

import type { Hsm } from "../hsm/index.ts";

export type HsmRecipient = { hsmCertificate: string; hsmKey: string };

/** Registers both, certificate first. `activation` and the certificate's own validity bound its use. */
export async function registerRecipient(
  hsm: Hsm,
  certificate: Uint8Array<ArrayBuffer>,
  spki: Uint8Array<ArrayBuffer>,
  modulusLength: number,
  activation: Date,
): Promise<HsmRecipient> {
  const { uniqueIdentifier: hsmCertificate } = await hsm.request("Register", {
    objectType: "Certificate",
    attributes: {},
    object: { certificate: { certificateType: "X_509", certificateValue: certificate } },
  });
  try {
    const { uniqueIdentifier: hsmKey } = await hsm.request("Register", {
      objectType: "PublicKey",
      attributes: {
        cryptographicAlgorithm: "RSA",
        cryptographicLength: modulusLength,
        cryptographicUsageMask: ["WrapKey"],
        cryptographicParameters: [
          {
            paddingMethod: "OAEP",
            hashingAlgorithm: "SHA_256",
            maskGenerator: "MGF1",
            maskGeneratorHashingAlgorithm: "SHA_256",
          },
        ],
        activationDate: activation,
        link: [{ linkType: "CertificateLink", linkedObjectIdentifier: hsmCertificate }],
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
    return { hsmCertificate, hsmKey };
  } catch (error) {
    await removeRecipient(hsm, { hsmCertificate }).catch(() => undefined);
    throw error;
  }
}

/** Takes a recipient out of use and removes it. True when the HSM has it no more. */
export async function removeRecipient(hsm: Hsm, recipient: Partial<HsmRecipient>): Promise<boolean> {
  const ids = [recipient.hsmKey, recipient.hsmCertificate].filter((id) => id !== undefined);
  const results = await hsm.batch(
    ids.flatMap((uniqueIdentifier) => [
      {
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
  // A certificate that was never active cannot be revoked; what counts is that Destroy succeeded or found nothing.
  return results
    .filter((_, index) => index % 2 === 1)
    .every((item) => item.resultStatus === "Success" || GONE.has(String(item.resultReason)));
}

const GONE = new Set(["ItemNotFound", "ObjectDestroyed", "ObjectNotFound"]);
