import { named, POLICY, policy } from "#protocol/hierarchy/index.ts";
import type { OperationName } from "#protocol/kmip/index.ts";
import { AES, aesKw, type Bytes, oaep, wrappedImport } from "./hierarchy.ts";

type Served = Exclude<OperationName, "ReProvision">;

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

/** A key that is tried, and what is tried with it. */
export interface Target {
  uid: string;
  /** A key of the hierarchy that wraps others. */
  by: string;
  recipient: string;
  /** A key of the client's own. */
  own: string;
}

/** Every operation that the server has, with what a client would ask of a key by it. */
export function whatever({ uid, by, recipient, own }: Target): Record<Served, object[]> {
  const data = new Uint8Array(16);
  const uniqueIdentifier = uid;
  const one = { uniqueIdentifier };
  const newAttribute = { name: named("mine") };
  const ecb = { cryptographicParameters: { blockCipherMode: "ECB" } };
  const given = [
    one,
    ...(["Raw", "TransparentSymmetricKey", "PKCS_8"] as const).map((keyFormatType) => ({
      ...one,
      keyFormatType,
    })),
    { ...one, keyWrapType: "NotWrapped" },
    ...[aesKw(uid), aesKw(by), aesKw(own), oaep(recipient)].map((keyWrappingSpecification) => ({
      ...one,
      keyWrappingSpecification,
    })),
  ];
  const split = { splitKeyParts: 2, splitKeyThreshold: 2, splitKeyMethod: "XOR" };
  const wrapped = wrappedImport(crypto.randomUUID(), uid, new Uint8Array(40));
  const replacing = [{ linkType: "ReplacedObjectLink", linkedObjectIdentifier: uid }];
  const reason = (revocationReasonCode: string) => ({ ...one, revocationReason: { revocationReasonCode } });
  const derived = { objectType: "SymmetricKey", attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] } };
  return {
    Create: [
      { objectType: "SymmetricKey", attributes: { ...AES, vendorAttributes: [policy(POLICY.parent, uid)] } },
      {
        objectType: "SymmetricKey",
        attributes: { ...AES, link: replacing, vendorAttributes: [policy(POLICY.class, "master")] },
      },
    ],
    CreateKeyPair: [{ commonAttributes: { cryptographicAlgorithm: "EC" } }],
    Register: [
      { objectType: "SymmetricKey", attributes: { ...AES }, object: wrapped.object },
      { objectType: "SymmetricKey", attributes: { ...AES, link: replacing }, object: wrapped.object },
    ],
    Import: [
      wrapped,
      { ...wrapped, uniqueIdentifier: uid, replaceExisting: true },
      { ...wrapped, keyWrapType: "AsRegistered", uniqueIdentifier: uid, replaceExisting: true },
    ],
    Export: given,
    Get: given,
    GetAttributes: [{ ...one, attributeReference: [] }],
    GetAttributeList: [one],
    AddAttribute: [{ ...one, newAttribute }],
    ModifyAttribute: [{ ...one, newAttribute }],
    SetAttribute: [{ ...one, newAttribute: { sensitive: false } }],
    DeleteAttribute: [{ ...one, attributeReference: "cryptographicUsageMask" }],
    AdjustAttribute: [{ ...one, attributeReference: "sensitive", adjustmentType: "Negate" }],
    Locate: [{ attributes: {} }, { attributes: { uniqueIdentifier } }],
    Activate: [one],
    Revoke: [reason("KeyCompromise"), reason("CessationOfOperation")],
    Destroy: [one],
    Archive: [one],
    Recover: [one],
    Encrypt: [{ ...one, data, ...ecb }],
    Decrypt: [{ ...one, data, ...ecb }],
    Sign: [{ ...one, data }],
    SignatureVerify: [{ ...one, data, signatureData: data }],
    MAC: [{ ...one, data }],
    MACVerify: [{ ...one, data, macData: data }],
    Hash: [{ cryptographicParameters: { hashingAlgorithm: "SHA_256" }, data }],
    DeriveKey: [
      {
        ...derived,
        uniqueIdentifier: [uid],
        derivationMethod: "HMAC",
        derivationParameters: { derivationData: data },
      },
      {
        ...derived,
        uniqueIdentifier: [own, uid],
        derivationMethod: "HKDF",
        derivationParameters: { cryptographicParameters: { hashingAlgorithm: "SHA_256" } },
      },
    ],
    ReKey: [one],
    ReKeyKeyPair: [{ privateKeyUniqueIdentifier: uid }],
    Certify: [one],
    ReCertify: [one],
    Validate: [{ uniqueIdentifier: [uid] }],
    Check: [one, { ...one, usageLimitsCount: 1n }],
    ObtainLease: [one],
    GetUsageAllocation: [{ ...one, usageLimitsCount: 1n }],
    CreateSplitKey: [{ objectType: "SymmetricKey", ...one, ...split }],
    JoinSplitKey: [{ objectType: "SymmetricKey", uniqueIdentifier: [uid, uid], attributes: AES }],
    RNGRetrieve: [{ dataLength: 16 }],
    RNGSeed: [{ data }],
    Query: [{ queryFunction: ["QueryOperations", "QueryObjects"] }],
    DiscoverVersions: [{ protocolVersion: [] }],
    Ping: [{}],
    Log: [{ logMessage: uid }],
    Interop: [{ interopFunction: "Begin", interopIdentifier: "x" }],
    Cancel: [{ asynchronousCorrelationValue: data }],
    Poll: [{ asynchronousCorrelationValue: data }],
    Process: [{ asynchronousCorrelationValue: data }],
    QueryAsynchronousRequests: [{}],
    Login: [{}],
    DelegatedLogin: [{}],
    Logout: [{ ticket: { ticketType: "Login", ticketValue: data } }],
    PKCS_11: [{ pkcs_11Function: "C_Initialize" }],
    GetConstraints: [{}],
    SetConstraints: [{}],
    SetDefaults: [{}],
    SetEndpointRole: [{ endpointRole: "Server" }],
    Notify: [{ uniqueIdentifier: uid }],
    Put: [{ uniqueIdentifier: uid, putFunction: "New", object: wrapped.object }],
  };
}
