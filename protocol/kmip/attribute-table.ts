/** The attributes (KMIP 2.1 §4, KMIP 1.4 §3) as data: type, and whether an object may have several instances. */

import { cryptographicParameters, revocationReason, rngParameters, uniqueIdentifier } from "./parameters.ts";
import {
  boolean,
  byteString,
  type Codec,
  dateTime,
  enumeration,
  extensionEnumeration,
  integer,
  interval,
  longInteger,
  mask,
  optional,
  optionalRepeated,
  required,
  structure,
  textString,
} from "./schema.ts";

/** One attribute; `Many` says whether it is a list. */
export type AttributeRule<T, Many extends boolean> = { readonly codec: Codec<T>; readonly many: Many };

const one = <T>(codec: Codec<T>): AttributeRule<T, false> => ({ codec, many: false });
const many = <T>(codec: Codec<T>): AttributeRule<T, true> => ({ codec, many: true });

const name = structure({
  nameValue: required(textString),
  nameType: required(enumeration("NameType")),
});

const link = structure({
  linkType: required(enumeration("LinkType")),
  linkedObjectIdentifier: required(uniqueIdentifier),
});

const digest = structure({
  hashingAlgorithm: required(enumeration("HashingAlgorithm")),
  digestValue: optional(byteString),
  keyFormatType: optional(enumeration("KeyFormatType"), { first: 1 }),
});

/** KMIP 2.1 §4.59 Usage Limits */
export const usageLimits = structure({
  usageLimitsTotal: required(longInteger),
  usageLimitsCount: optional(longInteger),
  usageLimitsUnit: required(enumeration("UsageLimitsUnit")),
});

const distinguishedName = {
  certificateSubjectDistinguishedName: optional(textString),
  certificateSubjectAlternativeName: optionalRepeated(textString),
};

export const ATTRIBUTES = {
  uniqueIdentifier: one(textString),
  name: many(name),
  objectType: one(enumeration("ObjectType")),
  cryptographicAlgorithm: one(enumeration("CryptographicAlgorithm")),
  cryptographicLength: one(integer),
  cryptographicParameters: many(cryptographicParameters),
  cryptographicDomainParameters: one(
    structure({ qlength: optional(integer), recommendedCurve: optional(enumeration("RecommendedCurve")) }),
  ),
  cryptographicUsageMask: one(mask("CryptographicUsageMask")),
  certificateType: one(enumeration("CertificateType")),
  certificateLength: one(integer),
  x_509CertificateIdentifier: one(
    structure({
      issuerDistinguishedName: required(byteString),
      certificateSerialNumber: required(byteString),
    }),
  ),
  x_509CertificateSubject: one(
    structure({
      subjectDistinguishedName: required(byteString),
      subjectAlternativeName: optionalRepeated(byteString),
    }),
  ),
  x_509CertificateIssuer: one(
    structure({
      issuerDistinguishedName: required(byteString),
      issuerAlternativeName: optionalRepeated(byteString),
    }),
  ),
  certificateIdentifier: one(structure({ issuer: required(textString), serialNumber: optional(textString) })),
  certificateSubject: one(structure(distinguishedName)),
  certificateIssuer: one(
    structure({
      certificateIssuerDistinguishedName: optional(textString),
      certificateIssuerAlternativeName: optionalRepeated(textString),
    }),
  ),
  certificateSubjectCN: many(textString),
  certificateSubjectO: many(textString),
  certificateSubjectOU: many(textString),
  certificateSubjectEmail: many(textString),
  certificateSubjectC: many(textString),
  certificateSubjectST: many(textString),
  certificateSubjectL: many(textString),
  certificateSubjectUID: many(textString),
  certificateSubjectSerialNumber: many(textString),
  certificateSubjectTitle: many(textString),
  certificateSubjectDC: many(textString),
  certificateSubjectDNQualifier: many(textString),
  certificateIssuerCN: many(textString),
  certificateIssuerO: many(textString),
  certificateIssuerOU: many(textString),
  certificateIssuerEmail: many(textString),
  certificateIssuerC: many(textString),
  certificateIssuerST: many(textString),
  certificateIssuerL: many(textString),
  certificateIssuerUID: many(textString),
  certificateIssuerSerialNumber: many(textString),
  certificateIssuerTitle: many(textString),
  certificateIssuerDC: many(textString),
  certificateIssuerDNQualifier: many(textString),
  digitalSignatureAlgorithm: many(enumeration("DigitalSignatureAlgorithm")),
  digest: many(digest),
  operationPolicyName: one(textString),
  usageLimits: one(usageLimits),
  leaseTime: one(interval),
  state: one(enumeration("State")),
  initialDate: one(dateTime),
  activationDate: one(dateTime),
  processStartDate: one(dateTime),
  protectStopDate: one(dateTime),
  deactivationDate: one(dateTime),
  destroyDate: one(dateTime),
  compromiseOccurrenceDate: one(dateTime),
  compromiseDate: one(dateTime),
  revocationReason: one(revocationReason),
  archiveDate: one(dateTime),
  objectGroup: many(textString),
  objectGroupMember: one(enumeration("ObjectGroupMember")),
  fresh: one(boolean),
  link: many(link),
  applicationSpecificInformation: many(
    structure({ applicationNamespace: required(textString), applicationData: optional(textString) }),
  ),
  contactInformation: one(textString),
  lastChangeDate: one(dateTime),
  alternativeName: many(
    structure({
      alternativeNameValue: required(textString),
      alternativeNameType: required(enumeration("AlternativeNameType")),
    }),
  ),
  keyValuePresent: one(boolean),
  keyValueLocation: many(
    structure({
      keyValueLocationValue: required(textString),
      keyValueLocationType: required(enumeration("KeyValueLocationType")),
    }),
  ),
  originalCreationDate: one(dateTime),
  randomNumberGenerator: one(rngParameters),
  pkcs_12FriendlyName: one(textString),
  description: one(textString),
  comment: one(textString),
  sensitive: one(boolean),
  alwaysSensitive: one(boolean),
  extractable: one(boolean),
  neverExtractable: one(boolean),
  keyFormatType: one(enumeration("KeyFormatType")),
  nistKeyType: many(enumeration("NISTKeyType")),
  opaqueDataType: one(extensionEnumeration),
  protectionLevel: one(enumeration("ProtectionLevel")),
  protectionPeriod: one(interval),
  protectionStorageMask: one(mask("ProtectionStorageMask")),
  quantumSafe: one(boolean),
  shortUniqueIdentifier: one(byteString),
} as const;
