/** Small structures that attributes, objects and payloads share. */

import {
  boolean,
  byteString,
  type Codec,
  dateTime,
  enumeration,
  type Infer,
  integer,
  items,
  mask,
  optional,
  optionalRepeated,
  required,
  structure,
  textString,
} from "./schema.ts";
import { V2_0 } from "./version.ts";

/** KMIP 2.1 §4.16 Cryptographic Parameters */
export const cryptographicParameters = structure({
  blockCipherMode: optional(enumeration("BlockCipherMode")),
  paddingMethod: optional(enumeration("PaddingMethod")),
  hashingAlgorithm: optional(enumeration("HashingAlgorithm")),
  keyRoleType: optional(enumeration("KeyRoleType")),
  digitalSignatureAlgorithm: optional(enumeration("DigitalSignatureAlgorithm"), { first: 2 }),
  cryptographicAlgorithm: optional(enumeration("CryptographicAlgorithm"), { first: 2 }),
  randomIV: optional(boolean),
  ivLength: optional(integer),
  tagLength: optional(integer),
  fixedFieldLength: optional(integer),
  invocationFieldLength: optional(integer),
  counterLength: optional(integer),
  initialCounterValue: optional(integer),
  saltLength: optional(integer),
  maskGenerator: optional(enumeration("MaskGenerator")),
  maskGeneratorHashingAlgorithm: optional(enumeration("HashingAlgorithm")),
  pSource: optional(byteString),
  trailerField: optional(integer),
});
export type CryptographicParameters = Infer<typeof cryptographicParameters>;

/** Where an identifier may refer to what this batch made (2.x), or be a number that the server assigned (2.x). */
export type UniqueIdentifier = string | number | { reference: Infer<typeof uniqueIdentifierReference> };

const uniqueIdentifierReference = enumeration("UniqueIdentifier");

/** KMIP 2.1 §4.58 Unique Identifier in a request: text, or (2.x) an enumeration or an integer. */
export const uniqueIdentifier: Codec<UniqueIdentifier> = {
  encode: (tag, value, context) => {
    if (typeof value === "string") return textString.encode(tag, value, context);
    if (typeof value === "number") return integer.encode(tag, value, context);
    return uniqueIdentifierReference.encode(tag, value.reference, context);
  },
  decode: (item, context) => {
    if (item.type === "Enumeration") return { reference: uniqueIdentifierReference.decode(item, context) };
    return item.type === "Integer" ? item.value : textString.decode(item, context);
  },
};

/** KMIP 2.1 §7.36 RNG Parameters */
export const rngParameters = structure({
  rngAlgorithm: required(enumeration("RNGAlgorithm")),
  cryptographicAlgorithm: optional(enumeration("CryptographicAlgorithm")),
  cryptographicLength: optional(integer),
  hashingAlgorithm: optional(enumeration("HashingAlgorithm")),
  drbgAlgorithm: optional(enumeration("DRBGAlgorithm")),
  recommendedCurve: optional(enumeration("RecommendedCurve")),
  fips186Variation: optional(enumeration("FIPS186Variation")),
  predictionResistance: optional(boolean),
});

/** KMIP 2.1 §4.47 Revocation Reason */
export const revocationReason = structure({
  revocationReasonCode: required(enumeration("RevocationReasonCode")),
  revocationMessage: optional(textString),
});
export type RevocationReason = Infer<typeof revocationReason>;

/** KMIP 2.1 §7.39 Ticket */
export const ticket = structure({
  ticketType: required(enumeration("TicketType")),
  ticketValue: required(byteString),
});
export type Ticket = Infer<typeof ticket>;

/** KMIP 2.1 §9.14 Nonce */
export const nonce = structure({ nonceId: required(byteString), nonceValue: required(byteString) });
export type Nonce = Infer<typeof nonce>;

/** KMIP 2.1 §9.11 Credential Value: the fields of all credential types, in an order that serves each of them. */
const credentialValue = structure({
  username: optional(textString),
  deviceSerialNumber: optional(textString),
  password: optional(textString),
  oneTimePassword: optional(textString),
  timeStamp: optional(dateTime),
  hashingAlgorithm: optional(enumeration("HashingAlgorithm")),
  hashedPassword: optional(byteString),
  deviceIdentifier: optional(textString),
  networkIdentifier: optional(textString),
  machineIdentifier: optional(textString),
  mediaIdentifier: optional(textString),
  nonce: optional(nonce),
  attestationType: optional(enumeration("AttestationType")),
  attestationMeasurement: optional(byteString),
  attestationAssertion: optional(byteString),
  ticket: optional(ticket),
});

/** KMIP 2.1 §9.11 Credential */
export const credential = structure({
  credentialType: required(enumeration("CredentialType")),
  credentialValue: required(credentialValue),
});
export type Credential = Infer<typeof credential>;

/** KMIP 2.1 §9.13 Message Extension */
export const messageExtension = structure({
  vendorIdentification: required(textString),
  criticalityIndicator: required(boolean),
  vendorExtension: required(items),
});
export type MessageExtension = Infer<typeof messageExtension>;

const indicator = enumeration("AsynchronousIndicator");

/** KMIP 2.1 §9.2 Asynchronous Indicator: an enumeration in 2.x, a Boolean before (true is `Optional`). */
export const asynchronousIndicator: Codec<Infer<typeof indicator>> = {
  encode: (tag, value, context) =>
    context.version < V2_0
      ? boolean.encode(tag, value !== "Prohibited", context)
      : indicator.encode(tag, value, context),
  decode: (item, context) => {
    if (item.type === "Boolean") return item.value ? "Optional" : "Prohibited";
    return indicator.decode(item, context);
  },
};

/** KMIP 2.1 §7.33 Protection Storage Masks, under the tag of its property. */
export const protectionStorageMasks = structure({
  protectionStorageMask: optionalRepeated(mask("ProtectionStorageMask")),
});

/** KMIP 2.1 §7.12 Derivation Parameters */
export const derivationParameters = structure({
  cryptographicParameters: optional(cryptographicParameters),
  initializationVector: optional(byteString),
  derivationData: optional(byteString),
  salt: optional(byteString),
  iterationCount: optional(integer),
});
export type DerivationParameters = Infer<typeof derivationParameters>;

/** KMIP 2.1 §3.3 Key Wrapping Data, the key information: which key wraps, or authenticates, and how. */
export const keyInformation = structure({
  uniqueIdentifier: required(uniqueIdentifier),
  cryptographicParameters: optional(cryptographicParameters),
});
