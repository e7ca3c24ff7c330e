import { generateKeyPairSync } from "node:crypto";
import type { Attributes, ManagedObject, RequestItem } from "#protocol/kmip/index.ts";

/** Objects that the fuzzed server holds, under identifiers that stay the same when it is made again. */
export const IDENTIFIERS = [
  "aes",
  "hmac",
  "wrap",
  "rsa",
  "rsa-public",
  "ec",
  "ec-public",
  "secret",
  "opaque",
];

const bytes = new Uint8Array(16).fill(7);
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });

type Kind = NonNullable<Attributes["objectType"]>;

function imported(
  uniqueIdentifier: string,
  objectType: Kind,
  attributes: Attributes,
  object: ManagedObject,
): RequestItem {
  const payload = {
    uniqueIdentifier,
    objectType,
    attributes: { activationDate: new Date(0), ...attributes },
    object,
  };
  return { operation: "Import", payload } as unknown as RequestItem;
}

function symmetric(algorithm: "AES" | "HMAC_SHA256", usage: Attributes["cryptographicUsageMask"]) {
  return [
    { cryptographicAlgorithm: algorithm, cryptographicLength: 128, cryptographicUsageMask: usage },
    {
      symmetricKey: {
        keyBlock: {
          keyFormatType: "Raw",
          keyValue: { keyMaterial: bytes },
          cryptographicAlgorithm: algorithm,
          cryptographicLength: 128,
        },
      },
    },
  ] as const;
}

function pair(keys: typeof rsa, algorithm: "RSA" | "EC", length: number) {
  const block = (keyFormatType: "PKCS_8" | "X_509", keyMaterial: Uint8Array) => ({
    keyBlock: {
      keyFormatType,
      keyValue: { keyMaterial },
      cryptographicAlgorithm: algorithm,
      cryptographicLength: length,
    },
  });
  const attributes = { cryptographicAlgorithm: algorithm, cryptographicLength: length } as const;
  return {
    private: [
      { ...attributes, cryptographicUsageMask: ["Sign", "Decrypt", "UnwrapKey", "DeriveKey"] },
      { privateKey: block("PKCS_8", keys.privateKey.export({ format: "der", type: "pkcs8" })) },
    ],
    public: [
      { ...attributes, cryptographicUsageMask: ["Verify", "Encrypt", "WrapKey"] },
      { publicKey: block("X_509", keys.publicKey.export({ format: "der", type: "spki" })) },
    ],
  } as const;
}

/** Requests (2.1) that make them. */
export function objectRequests(): RequestItem[] {
  const usage = ["Encrypt", "Decrypt", "DeriveKey", "MACGenerate", "MACVerify"] as const;
  const rsaKeys = pair(rsa, "RSA", 2048);
  const ecKeys = pair(ec as typeof rsa, "EC", 256);
  const mutable = (attributes: object) => attributes as Attributes;
  const requests: [string, Kind, readonly [object, object]][] = [
    ["aes", "SymmetricKey", symmetric("AES", [...usage])],
    ["hmac", "SymmetricKey", symmetric("HMAC_SHA256", [...usage])],
    ["wrap", "SymmetricKey", symmetric("AES", ["WrapKey", "UnwrapKey"])],
    ["rsa", "PrivateKey", rsaKeys.private],
    ["rsa-public", "PublicKey", rsaKeys.public],
    ["ec", "PrivateKey", ecKeys.private],
    ["ec-public", "PublicKey", ecKeys.public],
    [
      "secret",
      "SecretData",
      [
        { cryptographicUsageMask: ["DeriveKey"] },
        {
          secretData: {
            secretDataType: "Password",
            keyBlock: { keyFormatType: "Opaque", keyValue: { keyMaterial: bytes } },
          },
        },
      ],
    ],
    [
      "opaque",
      "OpaqueObject",
      [{}, { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: bytes } }],
    ],
  ];
  return requests.map(([uid, kind, [attributes, object]]) =>
    imported(uid, kind, mutable(attributes), object as ManagedObject),
  );
}
