import { enumerationOf, tagNumber } from "#protocol/kmip/index.ts";

/**
 * What a server may answer otherwise than a test case does, as data: KMIP Profiles, "Permitted Test Case Variations",
 * with its "Variable Items". Whatever is not here must be as the case has it.
 */

type TagName = Parameters<typeof tagNumber>[0];

function tags(...names: TagName[]): ReadonlySet<number> {
  return new Set(names.map((name) => tagNumber(name)));
}

/** May be there or not, with any value. */
export const FREE = tags(
  "ResultMessage",
  "ServerCorrelationValue",
  "VendorIdentification",
  "ServerInformation",
);

/** Attributes that tell of the server, not of the object: its generator of random numbers. */
export const SERVERS_ATTRIBUTES: ReadonlySet<string> = new Set([
  "Random Number Generator",
  "RandomNumberGenerator",
]);

/** May be there or not when its value is 0. */
export const INDEX = tagNumber("AttributeIndex");

/** Extensions that are not critical, and templates that repeat what was asked, may be in responses. */
export const MAY_BE_EXTRA = tags(
  "MessageExtension",
  "TemplateAttribute",
  "PrivateKeyTemplateAttribute",
  "PublicKeyTemplateAttribute",
);

/** Elements of which the order says nothing, and of which there may be more: the attributes of an object. */
export const ATTRIBUTE_BAG = tags("Attribute", "AttributeName", "AttributeReference", "Attributes");

/** Attributes that a server may add or leave out: object groups that nobody asked for, and the server's own. */
export function mayLackAttribute(name: string): boolean {
  return name === "Object Group" || name === "ObjectGroup" || name.startsWith("y-");
}

/** What Query says of the server itself: of each kind that the case has something must be there, in any number. */
export const SERVER_FACTS = tags(
  "ApplicationNamespace",
  "AttestationType",
  "CapabilityInformation",
  "ClientRegistrationMethod",
  "DefaultsInformation",
  "ExtensionInformation",
  "ObjectType",
  "Operation",
  "ProfileInformation",
  "ProtectionStorageMasks",
  "RNGParameters",
  "ValidationInformation",
);

/** Facts that a server may have none of. */
export const MAY_HAVE_NONE = tags(
  "ApplicationNamespace",
  "AttestationType",
  "ExtensionInformation",
  "ValidationInformation",
);

const operations = enumerationOf("Operation")!.byName;

/** Operations that Query must tell of where the case has them: what every server does (Baseline Server profile). */
export const BASELINE_OPERATIONS: ReadonlySet<unknown> = new Set(
  [
    "Locate",
    "Check",
    "Get",
    "GetAttributes",
    "GetAttributeList",
    "AddAttribute",
    "ModifyAttribute",
    "DeleteAttribute",
    "Activate",
    "Revoke",
    "Destroy",
    "Query",
  ].map((name) => operations.get(name)!.value),
);

/**
 * In the answer to a message that fails as a whole: with its operation (KMIP 2.1, Response Batch Item: required where the
 * request has it), which some cases leave out (TC-LOGIN-3).
 */
export const OPERATION = tagNumber("Operation");

/** Dates that the server's clock decides where no request set them. */
export const DATES = tags(
  "ActivationDate",
  "ArchiveDate",
  "CompromiseDate",
  "CompromiseOccurrenceDate",
  "DeactivationDate",
  "DestroyDate",
  "InitialDate",
  "LastChangeDate",
  "OriginalCreationDate",
  "ProcessStartDate",
  "ProtectStopDate",
  "TimeStamp",
  "ValidityDate",
);

/** Output of cryptography: varies with a key that the server made, and where the operation is randomised. */
export const CRYPTOGRAPHIC_OUTPUT = tags(
  "AuthenticatedEncryptionTag",
  "Data",
  "IVCounterNonce",
  "MACData",
  "SignatureData",
);

/** The material of a key, and the whole key value where it is wrapped. */
export const KEY_MATERIAL = tags("KeyMaterial", "KeyValue", "CertificateValue");

/** What the authority of a server writes in the certificates that it issues. */
export const CERTIFIED = tags(
  "CertificateIssuerDistinguishedName",
  "CertificateSerialNumber",
  "Issuer",
  "IssuerDistinguishedName",
  "SerialNumber",
);

/** Operations that make a key: its material is the server's. */
export const GENERATING: ReadonlySet<string> = new Set([
  "Create",
  "CreateKeyPair",
  "CreateSplitKey",
  "Certify",
  "ReCertify",
  "ReKey",
  "ReKeyKeyPair",
]);
