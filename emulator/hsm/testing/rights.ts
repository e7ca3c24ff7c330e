import { EVERYBODY, named, POLICY, policy } from "#protocol/hierarchy/index.ts";
import type { OperationName } from "#protocol/kmip/index.ts";
import { AES, aesKw, type Bytes } from "./hierarchy.ts";

/** What the bearer of a ticket for one object may try to reach others with. */
export interface Reached {
  /** The object that the ticket is for. */
  own: string;
  /** One of the same owner's that it is not for. */
  other: string;
  /** An answer of the owner's own that waits, and an operation of its own that is open. */
  answer: Bytes;
  stream: Bytes;
  ticket: Bytes;
}

const bytes = new Uint8Array(16);
const secretData = {
  secretData: {
    secretDataType: "Password" as const,
    keyBlock: { keyFormatType: "Opaque" as const, keyValue: { keyMaterial: bytes } },
  },
};

/** For every operation of the server, requests that are not about the ticket's object alone. */
export function reaching({ own, other, answer, stream, ticket }: Reached): Record<OperationName, object[]> {
  const both = [other, own];
  const named2 = (more: object = {}) => both.map((uniqueIdentifier) => ({ uniqueIdentifier, ...more }));
  const of = (more: object = {}) => [{ uniqueIdentifier: other, ...more }];
  const waiting = [{ asynchronousCorrelationValue: answer }];
  const wrapping = { keyWrappingSpecification: aesKw(other) };
  const attributes = { ...AES, cryptographicUsageMask: ["Encrypt" as const] };
  const wrappedKey = {
    symmetricKey: {
      keyBlock: {
        keyFormatType: "Raw",
        keyValue: { keyMaterial: new Uint8Array(24) },
        keyWrappingData: aesKw(other),
      },
    },
  };
  const pair = { commonAttributes: { cryptographicAlgorithm: "Ed25519", cryptographicUsageMask: ["Sign"] } };
  const ecb = { cryptographicParameters: { blockCipherMode: "ECB" } };
  const split = { splitKeyParts: 2, splitKeyThreshold: 2, splitKeyMethod: "XOR", objectType: "SplitKey" };
  const derived = {
    objectType: "SecretData",
    derivationMethod: "HMAC",
    derivationParameters: { derivationData: bytes },
    attributes: { cryptographicLength: 256 },
  };
  const hmac = { cryptographicParameters: { cryptographicAlgorithm: "HMAC_SHA256" } };
  return {
    Create: [
      { objectType: "SymmetricKey", attributes },
      {
        objectType: "SymmetricKey",
        attributes: { ...attributes, vendorAttributes: [policy(POLICY.parent, other)] },
      },
    ],
    CreateKeyPair: [pair],
    Register: [
      { objectType: "SecretData", attributes: {}, object: secretData },
      { objectType: "SymmetricKey", attributes, object: wrappedKey },
    ],
    Import: [
      { uniqueIdentifier: "new", objectType: "SecretData", attributes: {}, object: secretData },
      ...named2({ replaceExisting: true, objectType: "SecretData", attributes: {}, object: secretData }),
      {
        uniqueIdentifier: "new",
        objectType: "SymmetricKey",
        keyWrapType: "NotWrapped",
        attributes,
        object: wrappedKey,
      },
    ],
    Get: [...of(), { uniqueIdentifier: own, ...wrapping }],
    Export: [...of(), { uniqueIdentifier: own, ...wrapping }],
    GetAttributes: of({ attributeReference: [] }),
    GetAttributeList: of(),
    AddAttribute: [
      ...of({ newAttribute: { comment: "bearer" } }),
      { uniqueIdentifier: own, newAttribute: { name: named("taken") } },
      {
        uniqueIdentifier: own,
        newAttribute: { link: [{ linkType: "PKCS_12PasswordLink", linkedObjectIdentifier: other }] },
      },
      { uniqueIdentifier: own, newAttribute: { vendorAttributes: [policy(POLICY.users, EVERYBODY)] } },
    ],
    ModifyAttribute: [
      ...of({ newAttribute: { description: "bearer" } }),
      { uniqueIdentifier: own, newAttribute: { name: named("taken") } },
    ],
    SetAttribute: of({ newAttribute: { comment: "bearer" } }),
    AdjustAttribute: of({ attributeReference: "sensitive", adjustmentType: "Negate" }),
    DeleteAttribute: of({ attributeReference: "description" }),
    Locate: [
      { attributes: {} },
      { attributes: { uniqueIdentifier: other } },
      { attributes: { name: named("taken") } },
    ],
    Activate: of(),
    Revoke: of({ revocationReason: { revocationReasonCode: "KeyCompromise" } }),
    Destroy: of(),
    Encrypt: [...of({ data: bytes, ...ecb }), ...named2({ data: bytes, correlationValue: stream })],
    Decrypt: of({ data: bytes, ...ecb }),
    Sign: of({ data: bytes }),
    SignatureVerify: of({ data: bytes, signatureData: bytes }),
    MAC: of({ data: bytes, ...hmac }),
    MACVerify: of({ data: bytes, macData: new Uint8Array(32), ...hmac }),
    Hash: [{ data: bytes, cryptographicParameters: { hashingAlgorithm: "SHA_256" } }],
    Archive: of(),
    Recover: of(),
    Check: of(),
    Log: [{ logMessage: "bearer" }],
    Interop: [{ interopFunction: "Begin", interopIdentifier: "bearer" }],
    RNGRetrieve: [{ dataLength: 16 }],
    RNGSeed: [{ data: bytes }],
    DiscoverVersions: [{ protocolVersion: [] }],
    Ping: [{}],
    Query: [{ queryFunction: ["QueryDefaultsInformation"] }],
    Poll: waiting,
    Process: waiting,
    Cancel: waiting,
    QueryAsynchronousRequests: [
      {},
      { asynchronousCorrelationValues: { asynchronousCorrelationValue: [answer] } },
    ],
    Certify: named2(),
    ReCertify: named2(),
    Validate: [{}, { uniqueIdentifier: [other] }],
    ReKey: named2(),
    ReKeyKeyPair: both.map((privateKeyUniqueIdentifier) => ({ privateKeyUniqueIdentifier })),
    ObtainLease: of(),
    GetUsageAllocation: of({ usageLimitsCount: 1n }),
    DeriveKey: [[other], [own, other], [other, own], [own]].map((uniqueIdentifier) => ({
      ...derived,
      uniqueIdentifier,
    })),
    CreateSplitKey: [split, { ...split, uniqueIdentifier: other }, { ...split, uniqueIdentifier: own }],
    JoinSplitKey: [[other], [own, other]].map((uniqueIdentifier) => ({
      objectType: "SecretData",
      uniqueIdentifier,
    })),
    Login: [{}],
    DelegatedLogin: [{}, { rights: { right: [{ objects: { uniqueIdentifier: [other] } }] } }],
    Logout: [{ ticket: { ticketType: "Login", ticketValue: ticket } }],
    PKCS_11: [
      { pkcs_11Function: "C_Initialize" },
      { pkcs_11Function: "C_GetInfo", correlationValue: stream },
    ],
    SetConstraints: [{ constraints: { constraint: [] } }],
    GetConstraints: [{}],
    SetDefaults: [{ defaultsInformation: {} }],
    Put: [{ uniqueIdentifier: other, putFunction: "New", object: secretData }],
    Notify: of({ attributes: { comment: "bearer" } }),
    SetEndpointRole: [{ endpointRole: "Server" }],
  } as Partial<Record<OperationName, object[]>> as Record<OperationName, object[]>;
}
