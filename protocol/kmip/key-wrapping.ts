import { referenceStructure } from "./attribute-references.ts";
import { keyInformation } from "./parameters.ts";
import {
  enumeration,
  type Infer,
  optional,
  optionalRepeated,
  required,
  structure,
  textString,
} from "./schema.ts";

/**
 * KMIP 2.1 §7.18 Key Wrapping Specification. All versions name attributes by a text, as 1.x spells them; references, by
 * which 2.x names attributes elsewhere, are taken too.
 */
export const keyWrappingSpecification = structure({
  wrappingMethod: required(enumeration("WrappingMethod")),
  encryptionKeyInformation: optional(keyInformation),
  macSignatureKeyInformation: optional(keyInformation),
  attributeName: optionalRepeated(textString),
  attributeReference: optionalRepeated(referenceStructure),
  encodingOption: optional(enumeration("EncodingOption")),
});
export type KeyWrappingSpecification = Infer<typeof keyWrappingSpecification>;
