/** What is asked of the HSM for or about a key, as the edge asks it and as one would who has a domain's certificate. */

import { type KeyObject, randomUUID } from "node:crypto";
import {
  KEY_PAIR,
  type PolicyAttribute,
  PRIVATE_UNDER_PARENT,
  policy,
  UNDER_PARENT,
} from "#protocol/hierarchy/index.ts";
import type { Attributes, RequestPayload, ResponsePayload } from "#protocol/kmip/index.ts";
import type { HsmClient } from "./hsm.ts";

const RSA: NonNullable<Attributes["cryptographicParameters"]>[number] = {
  paddingMethod: "OAEP",
  hashingAlgorithm: "SHA_256",
  maskGenerator: "MGF1",
  maskGeneratorHashingAlgorithm: "SHA_256",
};

/** The private half of an account key that is a pair: nonce, ciphertext and tag of AES-GCM in one. */
export async function importPair(
  client: HsmClient,
  wrapped: Uint8Array<ArrayBuffer>,
  uniqueIdentifier: string,
): Promise<string> {
  const id = randomUUID();
  await client.request("Import", {
    uniqueIdentifier: id,
    objectType: "PrivateKey",
    keyWrapType: "NotWrapped",
    attributes: { ...KEY_PAIR, activationDate: new Date(Date.now() - 3_600_000) },
    object: {
      privateKey: {
        keyBlock: {
          keyFormatType: "PKCS_8",
          keyValue: { keyMaterial: wrapped.slice(12) },
          ...KEY_PAIR,
          keyWrappingData: {
            wrappingMethod: "Encrypt",
            encryptionKeyInformation: {
              uniqueIdentifier,
              cryptographicParameters: PRIVATE_UNDER_PARENT,
            },
            encodingOption: "NoEncoding",
            ivCounterNonce: wrapped.slice(0, 12),
          },
        },
      },
    },
  });
  return id;
}

/** As the edge imports: the HSM unwraps by `wrappedBy`. `attributes` are what an attacker would rather have. */
export async function importKey(
  client: HsmClient,
  wrapped: Uint8Array<ArrayBuffer>,
  wrappedBy: string,
  attributes: Attributes = {},
  cryptographicParameters: typeof RSA = UNDER_PARENT,
): Promise<string> {
  const uniqueIdentifier = randomUUID();
  await client.request("Import", {
    uniqueIdentifier,
    objectType: "SymmetricKey",
    replaceExisting: false,
    keyWrapType: "NotWrapped",
    attributes: {
      cryptographicAlgorithm: "AES",
      cryptographicLength: 256,
      cryptographicUsageMask: ["DeriveKey", "WrapKey", "UnwrapKey"],
      sensitive: true,
      activationDate: new Date(Date.now() - 3_600_000),
      ...attributes,
    },
    object: {
      symmetricKey: {
        keyBlock: {
          keyFormatType: "Raw",
          keyValue: wrapped,
          cryptographicAlgorithm: "AES",
          cryptographicLength: 256,
          keyWrappingData: {
            wrappingMethod: "Encrypt",
            encryptionKeyInformation: {
              uniqueIdentifier: wrappedBy,
              cryptographicParameters,
            },
            encodingOption: "NoEncoding",
          },
        },
      },
    },
  });
  return uniqueIdentifier;
}

export const get = (
  client: HsmClient,
  uniqueIdentifier: string,
  by?: { key: string; rsa?: boolean; encoding?: "TTLVEncoding" },
) =>
  client.request("Get", {
    uniqueIdentifier,
    ...(by && {
      keyWrappingSpecification: {
        wrappingMethod: "Encrypt",
        encryptionKeyInformation: {
          uniqueIdentifier: by.key,
          cryptographicParameters: by.rsa ? RSA : { blockCipherMode: "NISTKeyWrap" },
        },
        encodingOption: by.encoding ?? "NoEncoding",
      },
    }),
  });

export const registerPublicKey = (client: HsmClient, key: KeyObject, attributes: Attributes = {}) =>
  client.request("Register", {
    objectType: "PublicKey",
    attributes: {
      cryptographicAlgorithm: "RSA",
      cryptographicLength: 3072,
      cryptographicUsageMask: ["WrapKey", "Encrypt"],
      cryptographicParameters: [RSA],
      activationDate: new Date(Date.now() - 3_600_000),
      ...attributes,
    },
    object: {
      publicKey: {
        keyBlock: {
          keyFormatType: "X_509",
          keyValue: { keyMaterial: new Uint8Array(key.export({ type: "spki", format: "der" })) },
          cryptographicAlgorithm: "RSA",
          cryptographicLength: 3072,
        },
      },
    },
  });

export const registerCertificate = (client: HsmClient, der: Uint8Array, attributes: Attributes = {}) =>
  client.request("Register", {
    objectType: "Certificate",
    attributes,
    object: { certificate: { certificateType: "X_509", certificateValue: new Uint8Array(der) } },
  });

export const importPlain = (
  client: HsmClient,
  bytes: Uint8Array,
  attributes: Attributes,
): Promise<ResponsePayload<"Import">> => {
  const payload: RequestPayload<"Import"> = {
    uniqueIdentifier: randomUUID(),
    objectType: "SymmetricKey",
    replaceExisting: false,
    keyWrapType: "NotWrapped",
    attributes: {
      cryptographicAlgorithm: "AES",
      cryptographicLength: 256,
      cryptographicUsageMask: ["WrapKey", "UnwrapKey", "Encrypt", "Decrypt"],
      activationDate: new Date(Date.now() - 3_600_000),
      ...attributes,
    },
    object: {
      symmetricKey: {
        keyBlock: {
          keyFormatType: "Raw",
          keyValue: { keyMaterial: new Uint8Array(bytes) },
          cryptographicAlgorithm: "AES",
          cryptographicLength: 256,
        },
      },
    },
  };
  return client.request("Import", payload);
};

export const vendor = (name: PolicyAttribute, value: string) => ({ vendorAttributes: [policy(name, value)] });
