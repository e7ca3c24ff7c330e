/**
 * Recipients in the HSM: the wrapping certificate and its public key. The HSM verifies the certificate's chain itself and
 * wraps to no other key, so a compromised edge cannot have keys released to a key of its own.
 */

import {
  AGREEMENT,
  hybridNames,
  named,
  recipientNames,
  TO_HYBRID_RECIPIENT,
  TO_RECIPIENT,
} from "#protocol/hierarchy/index.ts";
import { KEM_BITS, ML_KEM_768 } from "#protocol/hybrid.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import type { Hsm } from "../hsm/index.ts";
import { sweep } from "../hsm/keys/index.ts";

type Certified = { certificate: Uint8Array<ArrayBuffer>; spki: Uint8Array<ArrayBuffer> };

export type NewRecipient = Certified & {
  /** Id of the instance. Both objects are named after it, so that they are found whatever became of an answer. */
  instance: string;
  modulusLength: number;
  activation: Date;
};

export type NewHybrid = { instance: string; agreement: Certified; kem: Certified; activation: Date };

const AGREEMENT_BITS = 256;

/**
 * Registers the two keys of a hybrid recipient and their certificates; returns the unique identifier of the ML-KEM key. Null where the
 * HSM knows no such keys, with nothing left there.
 */
export async function registerHybrid(hsm: Hsm, made: NewHybrid): Promise<string | null> {
  const { instance, activation } = made;
  const names = hybridNames(instance);
  try {
    const agreement = await registerKey(hsm, names.agreement, made.agreement, {
      ...AGREEMENT,
      cryptographicLength: AGREEMENT_BITS,
      cryptographicUsageMask: ["KeyAgreement"],
      activationDate: activation,
    });
    return await registerKey(hsm, names.kem, made.kem, {
      cryptographicAlgorithm: ML_KEM_768,
      cryptographicLength: KEM_BITS,
      cryptographicUsageMask: ["WrapKey"],
      cryptographicParameters: [TO_HYBRID_RECIPIENT],
      activationDate: activation,
      link: [{ linkType: "PublicKeyLink", linkedObjectIdentifier: agreement }],
    });
  } catch (error) {
    // One that knows them and does not want these says so by its policy.
    if (!(error instanceof KmipError) || error.code === "PermissionDenied") throw error;
    console.warn(JSON.stringify({ event: "no-hybrid-recipients", reason: String(error.code) }));
    await sweep(hsm, hybridObjects(instance));
    return null;
  }
}

/** What is at the HSM of a hybrid recipient, keys first. */
export function hybridObjects(instance: string): string[] {
  const { kem, agreement } = hybridNames(instance);
  return [kem.key, agreement.key, kem.certificate, agreement.certificate];
}

/** Registers both, certificate first; returns the unique identifier of the public key at the HSM. */
export function registerRecipient(hsm: Hsm, made: NewRecipient): Promise<string> {
  const { instance, modulusLength, activation } = made;
  return registerKey(hsm, recipientNames(instance), made, {
    cryptographicAlgorithm: "RSA",
    cryptographicLength: modulusLength,
    cryptographicUsageMask: ["WrapKey"],
    cryptographicParameters: [TO_RECIPIENT],
    activationDate: activation,
  });
}

/** A certificate, and its key with a link to it before those in `attributes`. */
async function registerKey(
  hsm: Hsm,
  names: { key: string; certificate: string },
  { certificate, spki }: Certified,
  { link = [], ...attributes }: Attributes,
): Promise<string> {
  const registered = await hsm.request("Register", {
    objectType: "Certificate",
    attributes: { name: named(names.certificate) },
    object: { certificate: { certificateType: "X_509", certificateValue: certificate } },
  });
  const { cryptographicAlgorithm, cryptographicLength } = attributes;
  const { uniqueIdentifier } = await hsm.request("Register", {
    objectType: "PublicKey",
    attributes: {
      ...attributes,
      name: named(names.key),
      link: [{ linkType: "CertificateLink", linkedObjectIdentifier: registered.uniqueIdentifier }, ...link],
    },
    object: {
      publicKey: {
        keyBlock: {
          keyFormatType: "X_509",
          keyValue: { keyMaterial: spki },
          cryptographicAlgorithm,
          cryptographicLength,
        },
      },
    },
  });
  return uniqueIdentifier;
}
