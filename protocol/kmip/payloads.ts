/** Request and response payloads of every operation (KMIP 2.1 §6, KMIP 1.4 §4) as data, in the order of the specification. */

import { attributes, oneAttribute, optionalAttributes } from "./attribute-fields.ts";
import { vendorValue } from "./attribute-items.ts";
import { attributeReference, attributeReferences } from "./attribute-references.ts";
import { usageLimits } from "./attribute-table.ts";
import { keyWrappingSpecification } from "./key-wrapping.ts";
import { certificate, object, optionalObject } from "./objects.ts";
import {
  cryptographicParameters,
  derivationParameters,
  protectionStorageMasks,
  revocationReason,
  rngParameters,
  ticket,
  uniqueIdentifier,
} from "./parameters.ts";
import {
  bigInteger,
  boolean,
  byteString,
  type Codec,
  dateTime,
  dateTimeExtended,
  enumeration,
  type Fields,
  integer,
  interval,
  longInteger,
  mask,
  optional,
  optionalRepeated,
  repeated,
  required,
  type Shape,
  structure,
  textString,
} from "./schema.ts";
import {
  capabilityInformation,
  constraints,
  defaultsInformation,
  extensionInformation,
  profileInformation,
  protocolVersion,
  rights,
  serverInformation,
  validationInformation,
} from "./server-information.ts";

/** Versions by index. */
const V1_4 = 4;
const V2_0 = 5;
const since2 = { first: V2_0 };
const until1 = { last: V1_4 };

const identifier = { uniqueIdentifier: optional(uniqueIdentifier) };
const identified = { uniqueIdentifier: required(textString) };
const template = { attributes: attributes("TemplateAttribute") };
const optionalTemplate = { attributes: optionalAttributes("TemplateAttribute") };
/** Attributes that the server set by itself: 1.x only. */
const answeredTemplate = { attributes: optionalAttributes("TemplateAttribute", until1) };
const masks = { protectionStorageMasks: optional(protectionStorageMasks) };
const pairMasks = {
  commonProtectionStorageMasks: optional(protectionStorageMasks),
  privateProtectionStorageMasks: optional(protectionStorageMasks),
  publicProtectionStorageMasks: optional(protectionStorageMasks),
};
const pairAttributes = {
  commonAttributes: optionalAttributes("CommonTemplateAttribute"),
  privateKeyAttributes: optionalAttributes("PrivateKeyTemplateAttribute"),
  publicKeyAttributes: optionalAttributes("PublicKeyTemplateAttribute"),
};
const pairAnswer = {
  privateKeyUniqueIdentifier: required(textString),
  publicKeyUniqueIdentifier: required(textString),
  privateKeyAttributes: optionalAttributes("PrivateKeyTemplateAttribute", until1),
  publicKeyAttributes: optionalAttributes("PublicKeyTemplateAttribute", until1),
};
const wrapping = {
  keyFormatType: optional(enumeration("KeyFormatType")),
  keyWrapType: optional(enumeration("KeyWrapType")),
  keyCompressionType: optional(enumeration("KeyCompressionType")),
  keyWrappingSpecification: optional(keyWrappingSpecification),
};
const parameters = { cryptographicParameters: optional(cryptographicParameters) };
/** Without it an operation that was begun could not go on. */
const correlation = { correlationValue: optional(byteString, { essential: true }) };
/** Streaming (KMIP 2.1 §7.17 Init Indicator, §7.14 Final Indicator): since 1.3. */
const stream = {
  ...correlation,
  initIndicator: optional(boolean),
  finalIndicator: optional(boolean),
};
const data = { data: optional(byteString) };
const certificateRequest = {
  certificateRequestUniqueIdentifier: optional(uniqueIdentifier),
  certificateRequestType: optional(enumeration("CertificateRequestType")),
  /** Certificate Request in 1.x, Certificate Request Value in 2.x. */
  certificateRequest: optional(byteString, until1),
  certificateRequestValue: optional(byteString),
};
const checked = {
  usageLimitsCount: optional(longInteger),
  cryptographicUsageMask: optional(mask("CryptographicUsageMask")),
  leaseTime: optional(interval),
};
const asynchronous = { asynchronousCorrelationValue: required(byteString) };
const asynchronousRequest = structure({
  ...asynchronous,
  operation: required(enumeration("Operation")),
  /** In microseconds since 1970. */
  submissionDate: required(dateTimeExtended),
  processingStage: required(enumeration("ProcessingStage")),
});
const loginTerms = {
  leaseTime: optional(interval),
  requestCount: optional(integer),
  usageLimits: optional(usageLimits),
};

type Operations = Record<string, { request: Codec<unknown>; response: Codec<unknown>; reads: boolean }>;

function operation<Q extends Shape, S extends Shape>(
  request: Q,
  response: S,
): { request: Codec<Fields<Q>>; response: Codec<Fields<S>>; reads: boolean } {
  return { request: structure(request), response: structure(response), reads: false };
}

/** One that changes nothing at the server and holds no stream, so that twice is as good as once. */
const read: typeof operation = (request, response) => ({ ...operation(request, response), reads: true });

export const PAYLOADS = {
  Create: operation(
    { objectType: required(enumeration("ObjectType")), ...template, ...masks },
    { objectType: required(enumeration("ObjectType")), ...identified, ...answeredTemplate },
  ),
  CreateKeyPair: operation({ ...pairAttributes, ...pairMasks }, pairAnswer),
  Register: operation(
    { objectType: required(enumeration("ObjectType")), ...template, object: optionalObject, ...masks },
    { ...identified, ...answeredTemplate },
  ),
  ReKey: operation(
    { ...identifier, offset: optional(interval), ...optionalTemplate, ...masks },
    { ...identified, ...answeredTemplate },
  ),
  ReKeyKeyPair: operation(
    {
      privateKeyUniqueIdentifier: optional(uniqueIdentifier),
      offset: optional(interval),
      ...pairAttributes,
      ...pairMasks,
    },
    pairAnswer,
  ),
  DeriveKey: operation(
    {
      objectType: required(enumeration("ObjectType")),
      uniqueIdentifier: repeated(uniqueIdentifier),
      derivationMethod: required(enumeration("DerivationMethod")),
      derivationParameters: required(derivationParameters),
      ...template,
    },
    { ...identified, ...answeredTemplate },
  ),
  Certify: operation(
    { ...identifier, ...certificateRequest, ...optionalTemplate, ...masks },
    { ...identified, ...answeredTemplate },
  ),
  ReCertify: operation(
    { ...identifier, ...certificateRequest, offset: optional(interval), ...optionalTemplate, ...masks },
    { ...identified, ...answeredTemplate },
  ),
  Locate: read(
    {
      maximumItems: optional(integer),
      offsetItems: optional(integer),
      storageStatusMask: optional(mask("StorageStatusMask")),
      objectGroupMember: optional(enumeration("ObjectGroupMember")),
      attributes: attributes("Attribute", { ranges: true }),
    },
    { locatedItems: optional(integer), uniqueIdentifier: repeated(textString) },
  ),
  Check: read({ ...identifier, ...checked }, { ...identified, ...checked }),
  Get: read(
    { ...identifier, ...wrapping },
    { objectType: required(enumeration("ObjectType")), ...identified, object },
  ),
  GetAttributes: read(
    { ...identifier, attributeReference: attributeReferences() },
    { ...identified, attributes: attributes("Attribute") },
  ),
  GetAttributeList: read(identifier, { ...identified, attributeReference: attributeReferences() }),
  AddAttribute: operation(
    // Drafts of the test cases of 2.0 say Current Attribute for it (TC-ECC-3).
    {
      ...identifier,
      currentAttribute: optionalAttributes("Attribute", since2),
      newAttribute: oneAttribute(),
    },
    { ...identified, newAttribute: oneAttribute(until1) },
  ),
  ModifyAttribute: operation(
    {
      ...identifier,
      currentAttribute: optionalAttributes("Attribute", since2),
      newAttribute: oneAttribute(),
    },
    { ...identified, newAttribute: oneAttribute(until1) },
  ),
  DeleteAttribute: operation(
    {
      ...identifier,
      currentAttribute: optionalAttributes("Attribute", since2),
      attributeReference: attributeReference(),
      attributeIndex: optional(integer),
    },
    { ...identified, currentAttribute: oneAttribute(until1) },
  ),
  SetAttribute: operation({ ...identifier, newAttribute: oneAttribute() }, identified),
  AdjustAttribute: operation(
    {
      ...identifier,
      attributeReference: attributeReference(),
      adjustmentType: required(enumeration("AdjustmentType")),
      adjustmentValue: optional(vendorValue),
    },
    identified,
  ),
  ObtainLease: operation(identifier, {
    ...identified,
    leaseTime: optional(interval),
    lastChangeDate: optional(dateTime),
  }),
  GetUsageAllocation: operation({ ...identifier, usageLimitsCount: required(longInteger) }, identified),
  Activate: operation(identifier, identified),
  Revoke: operation(
    {
      ...identifier,
      revocationReason: required(revocationReason),
      compromiseOccurrenceDate: optional(dateTime),
    },
    identified,
  ),
  Destroy: operation(identifier, identified),
  Archive: operation(identifier, identified),
  Recover: operation(identifier, identified),
  Validate: read(
    {
      certificate: optionalRepeated(certificate),
      uniqueIdentifier: optionalRepeated(uniqueIdentifier),
      validityDate: optional(dateTime),
    },
    { validityIndicator: required(enumeration("ValidityIndicator")) },
  ),
  Query: read(
    { queryFunction: repeated(enumeration("QueryFunction")) },
    {
      operation: optionalRepeated(enumeration("Operation")),
      objectType: optionalRepeated(enumeration("ObjectType")),
      vendorIdentification: optional(textString),
      serverInformation: optional(serverInformation),
      applicationNamespace: optionalRepeated(textString),
      extensionInformation: optionalRepeated(extensionInformation),
      attestationType: optionalRepeated(enumeration("AttestationType")),
      rngParameters: optionalRepeated(rngParameters),
      profileInformation: optionalRepeated(profileInformation),
      validationInformation: optionalRepeated(validationInformation),
      capabilityInformation: optionalRepeated(capabilityInformation),
      clientRegistrationMethod: optionalRepeated(enumeration("ClientRegistrationMethod")),
      defaultsInformation: optional(defaultsInformation),
      protectionStorageMasks: optional(protectionStorageMasks),
    },
  ),
  DiscoverVersions: read(
    { protocolVersion: repeated(protocolVersion) },
    { protocolVersion: repeated(protocolVersion) },
  ),
  Cancel: operation(asynchronous, {
    ...asynchronous,
    cancellationResult: required(enumeration("CancellationResult")),
  }),
  Poll: operation(asynchronous, {}),
  Notify: operation(
    {
      uniqueIdentifier: required(textString),
      attributes: optionalAttributes("Attribute"),
      attributeReference: attributeReferences(),
    },
    {},
  ),
  Put: operation(
    {
      uniqueIdentifier: required(textString),
      putFunction: required(enumeration("PutFunction")),
      replacedUniqueIdentifier: optional(textString),
      object,
      attributes: optionalAttributes("Attribute"),
    },
    {},
  ),
  Encrypt: operation(
    {
      ...identifier,
      ...parameters,
      ...data,
      ivCounterNonce: optional(byteString),
      ...stream,
      authenticatedEncryptionAdditionalData: optional(byteString),
    },
    {
      ...identified,
      ...data,
      ivCounterNonce: optional(byteString, { essential: true }),
      ...correlation,
      authenticatedEncryptionTag: optional(byteString, { essential: true }),
    },
  ),
  Decrypt: operation(
    {
      ...identifier,
      ...parameters,
      ...data,
      ivCounterNonce: optional(byteString),
      ...stream,
      authenticatedEncryptionAdditionalData: optional(byteString),
      authenticatedEncryptionTag: optional(byteString),
    },
    { ...identified, ...data, ...correlation },
  ),
  Sign: operation(
    { ...identifier, ...parameters, ...data, digestedData: optional(byteString), ...stream },
    { ...identified, signatureData: optional(byteString), ...correlation },
  ),
  SignatureVerify: operation(
    {
      ...identifier,
      ...parameters,
      ...data,
      digestedData: optional(byteString),
      signatureData: optional(byteString),
      ...stream,
    },
    {
      ...identified,
      validityIndicator: optional(enumeration("ValidityIndicator")),
      ...data,
      ...correlation,
    },
  ),
  MAC: operation(
    { ...identifier, ...parameters, ...data, ...stream },
    { ...identified, macData: optional(byteString), ...correlation },
  ),
  MACVerify: operation(
    { ...identifier, ...parameters, ...data, macData: optional(byteString), ...stream },
    { ...identified, validityIndicator: optional(enumeration("ValidityIndicator")), ...correlation },
  ),
  RNGRetrieve: operation({ dataLength: required(integer) }, { data: required(byteString) }),
  RNGSeed: operation({ data: required(byteString) }, { dataLength: required(integer) }),
  Hash: operation({ ...parameters, ...data, ...stream }, { ...data, ...correlation }),
  CreateSplitKey: operation(
    {
      objectType: required(enumeration("ObjectType")),
      ...identifier,
      splitKeyParts: required(integer),
      splitKeyThreshold: required(integer),
      splitKeyMethod: required(enumeration("SplitKeyMethod")),
      primeFieldSize: optional(bigInteger),
      ...optionalTemplate,
      ...masks,
    },
    { uniqueIdentifier: repeated(textString), ...answeredTemplate },
  ),
  JoinSplitKey: operation(
    {
      objectType: required(enumeration("ObjectType")),
      uniqueIdentifier: repeated(uniqueIdentifier),
      secretDataType: optional(enumeration("SecretDataType")),
      ...optionalTemplate,
      ...masks,
    },
    { ...identified, ...answeredTemplate },
  ),
  Import: operation(
    {
      uniqueIdentifier: required(textString),
      objectType: required(enumeration("ObjectType")),
      replaceExisting: optional(boolean),
      keyWrapType: optional(enumeration("KeyWrapType")),
      attributes: attributes("Attribute"),
      object,
    },
    identified,
  ),
  Export: read(
    { ...identifier, ...wrapping },
    {
      objectType: required(enumeration("ObjectType")),
      ...identified,
      attributes: attributes("Attribute"),
      object,
    },
  ),
  Log: operation({ logMessage: required(textString) }, {}),
  Login: operation(loginTerms, { ticket: required(ticket) }),
  Logout: operation({ ticket: required(ticket) }, {}),
  DelegatedLogin: operation({ ...loginTerms, rights: optional(rights) }, { ticket: required(ticket) }),
  SetEndpointRole: operation(
    { endpointRole: required(enumeration("EndpointRole")) },
    { endpointRole: optional(enumeration("EndpointRole")) },
  ),
  PKCS_11: operation(
    {
      pkcs_11Interface: optional(textString),
      pkcs_11Function: required(enumeration("PKCS_11Function")),
      ...correlation,
      pkcs_11InputParameters: optional(byteString),
    },
    {
      pkcs_11Interface: optional(textString),
      pkcs_11Function: required(enumeration("PKCS_11Function")),
      ...correlation,
      pkcs_11OutputParameters: optional(byteString),
      pkcs_11ReturnCode: required(enumeration("PKCS_11ReturnCode")),
    },
  ),
  Interop: operation(
    {
      interopFunction: required(enumeration("InteropFunction")),
      interopIdentifier: required(textString),
    },
    {},
  ),
  ReProvision: operation(
    {
      certificateRequestType: optional(enumeration("CertificateRequestType")),
      certificateRequestValue: optional(byteString),
    },
    { certificate: optional(certificate) },
  ),
  SetDefaults: operation({ defaultsInformation: optional(defaultsInformation) }, {}),
  SetConstraints: operation({ constraints: optional(constraints) }, {}),
  GetConstraints: operation({}, { constraints: optional(constraints) }),
  QueryAsynchronousRequests: operation(
    {
      asynchronousCorrelationValues: optional(
        structure({ asynchronousCorrelationValue: repeated(byteString) }),
      ),
      operations: optional(structure({ operation: repeated(enumeration("Operation")) })),
    },
    { asynchronousRequest: optionalRepeated(asynchronousRequest) },
  ),
  Process: operation(asynchronous, asynchronous),
  Ping: read({}, {}),
} satisfies Operations;
