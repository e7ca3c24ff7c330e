import type { OperationName } from "#protocol/kmip/index.ts";
import { AES, type Bytes } from "./hierarchy.ts";

/** Operations that no restricted identity may ask for, or none with a key of the hierarchy. */
export function everyOperation(uniqueIdentifier: string, data: Bytes): [OperationName, object][] {
  const newAttribute = { sensitive: false };
  return [
    ["Encrypt", { uniqueIdentifier, data, cryptographicParameters: { blockCipherMode: "ECB" } }],
    ["Decrypt", { uniqueIdentifier, data, cryptographicParameters: { blockCipherMode: "ECB" } }],
    ["MAC", { uniqueIdentifier, data }],
    ["MACVerify", { uniqueIdentifier, data, macData: data }],
    ["SignatureVerify", { uniqueIdentifier, data, signatureData: data }],
    ["Hash", { cryptographicParameters: { hashingAlgorithm: "SHA_256" }, data }],
    [
      "DeriveKey",
      {
        objectType: "SymmetricKey",
        uniqueIdentifier: [uniqueIdentifier],
        derivationMethod: "HMAC",
        derivationParameters: { derivationData: data },
        attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
      },
    ],
    ["Export", { uniqueIdentifier }],
    ["ReKey", { uniqueIdentifier }],
    ["AddAttribute", { uniqueIdentifier, newAttribute }],
    ["ModifyAttribute", { uniqueIdentifier, newAttribute }],
    ["SetAttribute", { uniqueIdentifier, newAttribute }],
    ["DeleteAttribute", { uniqueIdentifier, attributeReference: "cryptographicUsageMask" }],
    ["AdjustAttribute", { uniqueIdentifier, attributeReference: "sensitive", adjustmentType: "Negate" }],
    ["GetAttributeList", { uniqueIdentifier }],
    ["Archive", { uniqueIdentifier }],
    ["Recover", { uniqueIdentifier }],
    ["Check", { uniqueIdentifier }],
    ["ObtainLease", { uniqueIdentifier }],
    ["CreateKeyPair", { commonAttributes: { cryptographicAlgorithm: "RSA" } }],
    [
      "CreateSplitKey",
      {
        objectType: "SplitKey",
        uniqueIdentifier,
        splitKeyParts: 2,
        splitKeyThreshold: 2,
        splitKeyMethod: "XOR",
      },
    ],
    ["Register", { objectType: "SymmetricKey", attributes: AES }],
    ["RNGSeed", { data }],
    ["Certify", { uniqueIdentifier }],
    ["Login", {}],
    ["SetDefaults", {}],
    ["Log", { logMessage: "x" }],
    ["ReKeyKeyPair", { privateKeyUniqueIdentifier: uniqueIdentifier }],
    ["JoinSplitKey", { objectType: "SymmetricKey", uniqueIdentifier: [uniqueIdentifier], attributes: AES }],
    ["GetUsageAllocation", { uniqueIdentifier, usageLimitsCount: 1n }],
    ["DelegatedLogin", {}],
    ["Logout", { ticket: { ticketType: "Login", ticketValue: data } }],
    ["GetConstraints", {}],
    ["SetConstraints", {}],
    ["SetEndpointRole", { endpointRole: "Server" }],
    ["Interop", { interopFunction: "Begin", interopIdentifier: "x" }],
  ];
}
