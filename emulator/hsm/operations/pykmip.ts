import type { AttributeProperty, Attributes, ProtocolVersion } from "#protocol/kmip/index.ts";

/**
 * What PyKMIP 0.10 decodes (its `AttributeValueFactory`): of an answer with any other attribute it reads none. It does not
 * tell the server who it is, so that its identities are named when the server is started.
 */
const DECODABLE: ReadonlySet<string> = new Set<AttributeProperty>([
  "uniqueIdentifier",
  "name",
  "objectType",
  "cryptographicAlgorithm",
  "cryptographicLength",
  "cryptographicParameters",
  "cryptographicUsageMask",
  "certificateLength",
  "leaseTime",
  "state",
  "initialDate",
  "activationDate",
  "processStartDate",
  "protectStopDate",
  "deactivationDate",
  "destroyDate",
  "compromiseOccurrenceDate",
  "compromiseDate",
  "archiveDate",
  "objectGroup",
  "fresh",
  "applicationSpecificInformation",
  "contactInformation",
  "lastChangeDate",
  "sensitive",
]);

/** In 1.x only. */
const BY_NAME: ReadonlySet<string> = new Set<AttributeProperty>(["certificateType", "operationPolicyName"]);

/** The attributes without those that PyKMIP cannot decode; of custom ones it reads texts, in 1.x. */
export function decodableByPyKmip(all: Attributes, { major }: ProtocolVersion): Attributes {
  const { attributeIndex, vendorAttributes } = all;
  const kept = Object.entries(all).filter(
    ([property]) => DECODABLE.has(property) || (major < 2 && BY_NAME.has(property)),
  );
  const texts = vendorAttributes?.filter(
    ({ vendorIdentification, attributeValue }) =>
      vendorIdentification !== "" && typeof attributeValue === "string",
  );
  return {
    ...Object.fromEntries(kept),
    ...(texts && major < 2 ? { vendorAttributes: texts } : {}),
    ...(attributeIndex ? { attributeIndex } : {}),
  };
}
