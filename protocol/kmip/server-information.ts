/** What Query answers with, and what servers are configured by (KMIP 2.1 §7, KMIP 2.1 §6.1.40 Query). */

import { optionalAttributes } from "./attribute-fields.ts";
import { usageLimits } from "./attribute-table.ts";
import type { Item } from "./item.ts";
import {
  boolean,
  type Codec,
  enumeration,
  type Infer,
  integer,
  optional,
  optionalRepeated,
  required,
  structure,
  textString,
} from "./schema.ts";
import { NEWEST, type ProtocolVersion, V2_0 } from "./version.ts";

const versionStructure = structure({
  protocolVersionMajor: required(integer),
  protocolVersionMinor: required(integer),
});

/** KMIP 2.1 §9.16 Protocol Version */
export const protocolVersion: Codec<ProtocolVersion> = {
  encode: (tag, { major, minor }, context) =>
    versionStructure.encode(tag, { protocolVersionMajor: major, protocolVersionMinor: minor }, context),
  decode: (item, context) => {
    const { protocolVersionMajor, protocolVersionMinor } = versionStructure.decode(item, context);
    return { major: protocolVersionMajor, minor: protocolVersionMinor };
  },
};

/** KMIP 2.1 §7.37 Server Information; the contents are the vendor's own before 2.0. */
export const serverInformation = structure({
  serverName: optional(textString),
  serverSerialNumber: optional(textString),
  serverVersion: optional(textString),
  serverLoad: optional(textString),
  productName: optional(textString),
  buildLevel: optional(textString),
  buildDate: optional(textString),
  clusterInfo: optional(textString),
  alternateFailoverEndpoints: optionalRepeated(textString),
});

const itemType = enumeration("ItemType");

/** Extension Type: an Item Type, which 1.x writes as an integer (KMIP 1.4 §2.1.9 Extension Information). */
const extensionType: Codec<Infer<typeof itemType>> = {
  encode(tag, value, context) {
    const item = itemType.encode(tag, value, { ...context, version: NEWEST });
    return context.version < V2_0 ? ({ ...item, type: "Integer" } as Item) : item;
  },
  decode: (item, context) =>
    itemType.decode(item.type === "Integer" ? { ...item, type: "Enumeration" } : item, context),
};

/** KMIP 2.1 §7.13 Extension Information */
export const extensionInformation = structure({
  extensionName: required(textString),
  extensionTag: optional(integer),
  extensionType: optional(extensionType),
  extensionEnumeration: optional(integer),
  extensionAttribute: optional(boolean),
  extensionParentStructureTag: optional(integer),
  extensionDescription: optional(textString),
});

/** KMIP 2.1 §7.31 Profile Information. The names of 1.3 and 1.4 have numbers of their own. */
export const profileInformation = structure({
  profileName: required(enumeration("ProfileName")),
  profileVersion: optional(
    structure({ profileVersionMajor: required(integer), profileVersionMinor: required(integer) }),
  ),
  serverURI: optional(textString),
  serverPort: optional(integer),
});

/** KMIP 2.1 §7.41 Validation Information */
export const validationInformation = structure({
  validationAuthorityType: required(enumeration("ValidationAuthorityType")),
  validationAuthorityCountry: optional(textString),
  validationAuthorityURI: optional(textString),
  validationVersionMajor: required(integer),
  validationVersionMinor: optional(integer),
  validationType: required(enumeration("ValidationType")),
  validationLevel: required(integer),
  validationCertificateIdentifier: optional(textString),
  validationCertificateURI: optional(textString),
  validationVendorURI: optional(textString),
  validationProfile: optionalRepeated(textString),
});

/** KMIP 2.1 §7.5 Capability Information */
export const capabilityInformation = structure({
  streamingCapability: optional(boolean),
  asynchronousCapability: optional(boolean),
  attestationCapability: optional(boolean),
  batchUndoCapability: optional(boolean),
  batchContinueCapability: optional(boolean),
  unwrapMode: optional(enumeration("UnwrapMode")),
  destroyAction: optional(enumeration("DestroyAction")),
  shreddingAlgorithm: optional(enumeration("ShreddingAlgorithm")),
  rngMode: optional(enumeration("RNGMode")),
  quantumSafeCapability: optional(boolean),
});

const objectTypes = structure({ objectType: optionalRepeated(enumeration("ObjectType")) });
const objectGroups = structure({ objectGroup: optionalRepeated(textString) });
const operations = structure({ operation: optionalRepeated(enumeration("Operation")) });

/** KMIP 2.1 §7.11 Defaults Information */
export const defaultsInformation = structure({
  objectDefaults: optionalRepeated(
    structure({
      objectType: optional(enumeration("ObjectType")),
      objectTypes: optional(objectTypes),
      objectGroups: optional(objectGroups),
      attributes: optionalAttributes("Attribute"),
    }),
  ),
});

/** KMIP 2.1 §7.7 Constraints */
export const constraints = structure({
  constraint: optionalRepeated(
    structure({
      objectTypes: optional(objectTypes),
      objectGroups: optional(objectGroups),
      attributes: optionalAttributes("Attribute"),
    }),
  ),
});

/** KMIP 2.1 §7.35 Rights: what a delegated ticket allows. */
export const rights = structure({
  right: optionalRepeated(
    structure({
      usageLimits: optional(usageLimits),
      operations: optional(operations),
      objects: optional(structure({ uniqueIdentifier: optionalRepeated(textString) })),
    }),
  ),
});
