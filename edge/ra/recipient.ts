/**
 * Recipients in the HSM: the wrapping certificate and its public key. The HSM verifies the certificate's chain itself and
 * wraps to no other key, so a compromised edge cannot have keys released to a key of its own.
 */

import { named, recipientNames, TO_RECIPIENT } from "#protocol/hierarchy/index.ts";
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
