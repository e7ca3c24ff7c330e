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

export type NewRecipient = {
  /** Id of the instance. Both objects are named after it, so that they are found whatever became of an answer. */
  instance: string;
  certificate: Uint8Array<ArrayBuffer>;
  spki: Uint8Array<ArrayBuffer>;
  modulusLength: number;
  activation: Date;
};

type Certified = { certificate: Uint8Array<ArrayBuffer>; spki: Uint8Array<ArrayBuffer> };
export type NewHybrid = { instance: string; agreement: Certified; kem: Certified; activation: Date };

const AGREEMENT_BITS = 256;

/**
 * Registers the two keys of a hybrid recipient and their certificates; returns the unique identifier of the ML-KEM key. Null where the
 * HSM knows no such keys, with nothing left there.
 */
export async function registerHybrid(hsm: Hsm, made: NewHybrid): Promise<string | null> {
  const { instance, activation } = made;
  const names = hybridNames(instance);
  const register = async (kind: "kem" | "agreement", attributes: Attributes) => {
    const { certificate, spki } = made[kind];
    const registered = await registerCertificate(hsm, names[kind].certificate, certificate);
    const { link = [], ...more } = attributes;
    const said = {
      cryptographicAlgorithm: more.cryptographicAlgorithm,
      cryptographicLength: more.cryptographicLength,
    };
    const { uniqueIdentifier } = await hsm.request("Register", {
      objectType: "PublicKey",
      attributes: {
        ...more,
        name: named(names[kind].key),
        activationDate: activation,
        link: [{ linkType: "CertificateLink", linkedObjectIdentifier: registered }, ...link],
      },
      object: {
        publicKey: { keyBlock: { keyFormatType: "X_509", keyValue: { keyMaterial: spki }, ...said } },
      },
    });
    return uniqueIdentifier;
  };
  try {
    const agreement = await register("agreement", {
      ...AGREEMENT,
      cryptographicLength: AGREEMENT_BITS,
      cryptographicUsageMask: ["KeyAgreement"],
    });
    return await register("kem", {
      cryptographicAlgorithm: ML_KEM_768,
      cryptographicLength: KEM_BITS,
      cryptographicUsageMask: ["WrapKey"],
      cryptographicParameters: [TO_HYBRID_RECIPIENT],
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

async function registerCertificate(hsm: Hsm, name: string, der: Uint8Array<ArrayBuffer>): Promise<string> {
  const { uniqueIdentifier } = await hsm.request("Register", {
    objectType: "Certificate",
    attributes: { name: named(name) },
    object: { certificate: { certificateType: "X_509", certificateValue: der } },
  });
  return uniqueIdentifier;
}

/** Registers both, certificate first; returns the unique identifier of the public key at the HSM. */
export async function registerRecipient(hsm: Hsm, made: NewRecipient): Promise<string> {
  const { instance, certificate, spki, modulusLength, activation } = made;
  const names = recipientNames(instance);
  const registered = await registerCertificate(hsm, names.certificate, certificate);
  const { uniqueIdentifier } = await hsm.request("Register", {
    objectType: "PublicKey",
    attributes: {
      name: named(names.key),
      cryptographicAlgorithm: "RSA",
      cryptographicLength: modulusLength,
      cryptographicUsageMask: ["WrapKey"],
      cryptographicParameters: [TO_RECIPIENT],
      activationDate: activation,
      link: [{ linkType: "CertificateLink", linkedObjectIdentifier: registered }],
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
