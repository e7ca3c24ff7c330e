/**
 * KMIP 1.0 to 2.1: tags and enumerations as data, codec, typed messages, and a client over `exchange(bytes)`.
 * May import: protocol/*.ts. Runs in Node, workerd and browsers without dependency.
 * Imported by protocol/ (types), edge, kmip-node, emulator, cli, test, bench.
 *
 * @example
 * const client = createKmipClient({ exchange });
 * const { uniqueIdentifier } = await client.request("Create", {
 *   objectType: "SymmetricKey",
 *   attributes: { cryptographicAlgorithm: "AES", cryptographicLength: 256, cryptographicUsageMask: ["Encrypt"] },
 * });
 */

import type { RequestPayload, ResponsePayload } from "./messages.ts";

export {
  type Attest,
  type AttestationCredential,
  type AttestationType,
  hasAttestation,
} from "./attestation.ts";
export {
  type AttributeProperty,
  type AttributeReference,
  type Attributes,
  type AttributeType,
  attributeBySpelling,
  attributeSpelling,
  isAttributeOf,
  type VendorAttribute,
  type VendorValue,
} from "./attributes.ts";
export {
  type Answer,
  type Answers,
  type BatchOptions,
  type Credentials,
  createKmipClient,
  type Exchange,
  item,
  type KmipClient,
  type KmipClientOptions,
  negotiateVersion,
  payloadOf,
} from "./client.ts";
export {
  type EnumerationName,
  type EnumerationTable,
  enumerationOf,
  tagByName,
  tagByNumber,
  tagNumber,
} from "./dictionary.ts";
export {
  type DecodeOptions,
  decodeItem,
  decodeRequest,
  decodeResponse,
  type Encoding,
  encodeItem,
  encodeRequest,
  encodeResponse,
  MEDIA_TYPES,
} from "./encoding.ts";
export { KmipDecodeError, KmipEncodeError, KmipError, type ResultReason } from "./errors.ts";
export { type Bytes, type Item, type ItemType, LIMITS, type Limits } from "./item.ts";
export type { KeyWrappingSpecification } from "./key-wrapping.ts";
export type {
  OperationName,
  RequestHeader,
  RequestItem,
  RequestItemOf,
  RequestMessage,
  RequestPayload,
  ResponseHeader,
  ResponseItem,
  ResponseItemOf,
  ResponseMessage,
  ResponsePayload,
} from "./messages.ts";
export {
  checkAnswer,
  hasOperation,
  requestFromItem,
  requestToItem,
  responseFromItem,
  responseToItem,
} from "./messages.ts";
export type {
  Certificate,
  KeyBlock,
  KeyValue,
  KeyWrappingData,
  ManagedObject,
  TransparentKey,
} from "./objects.ts";
export { decodeKeyValue, encodeKeyValue, encodeTransparentKey } from "./objects.ts";
export type {
  Credential,
  CryptographicParameters,
  DerivationParameters,
  MessageExtension,
  Nonce,
  RevocationReason,
  Ticket,
  UniqueIdentifier,
} from "./parameters.ts";
export { isRead } from "./reads.ts";
export { AbsentInVersion } from "./schema.ts";
export { isSupported, type ProtocolVersion, VERSIONS } from "./version.ts";
export { itemFromXml, parseXml, parseXmlElements, type XmlElement } from "./xml.ts";

export type CreateRequest = RequestPayload<"Create">;
export type CreateResponse = ResponsePayload<"Create">;
export type CreateKeyPairRequest = RequestPayload<"CreateKeyPair">;
export type CreateKeyPairResponse = ResponsePayload<"CreateKeyPair">;
export type RegisterRequest = RequestPayload<"Register">;
export type RegisterResponse = ResponsePayload<"Register">;
export type ImportRequest = RequestPayload<"Import">;
export type ImportResponse = ResponsePayload<"Import">;
export type GetRequest = RequestPayload<"Get">;
export type GetResponse = ResponsePayload<"Get">;
export type GetAttributesRequest = RequestPayload<"GetAttributes">;
export type GetAttributesResponse = ResponsePayload<"GetAttributes">;
export type LocateRequest = RequestPayload<"Locate">;
export type LocateResponse = ResponsePayload<"Locate">;
export type EncryptRequest = RequestPayload<"Encrypt">;
export type EncryptResponse = ResponsePayload<"Encrypt">;
export type DecryptRequest = RequestPayload<"Decrypt">;
export type DecryptResponse = ResponsePayload<"Decrypt">;
export type SignRequest = RequestPayload<"Sign">;
export type SignResponse = ResponsePayload<"Sign">;
