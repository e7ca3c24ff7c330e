import { describe, expect, it } from "vitest";
import { enumerationOf, tagByProperty } from "./dictionary.ts";
import { PAYLOADS } from "./payloads.ts";
import { AbsentInVersion, type Shape } from "./schema.ts";

/** Fields of answers that older versions lack and do not need: they add detail, or nobody there can ask for them. */
const SPARED = new Set([
  // Of how many the part is.
  "Locate locatedItems",
  // Told to who asks for them by a function that came with them.
  "Query extensionInformation",
  "Query attestationType",
  "Query rngParameters",
  "Query profileInformation",
  "Query validationInformation",
  "Query capabilityInformation",
  "Query clientRegistrationMethod",
  "Query defaultsInformation",
  "Query protectionStorageMasks",
]);

const operations = enumerationOf("Operation")!.byName;

/** Each field of each answer, with the versions that have the operation and not the field. */
const lacking = Object.entries(PAYLOADS).flatMap(([operation, { response }]) => {
  const { first, last } = operations.get(operation)!;
  const { shape } = response as unknown as { shape: Shape };
  return Object.entries(shape).flatMap(([property, field]) => {
    const tag = tagByProperty(property);
    if (!tag || SPARED.has(`${operation} ${property}`)) return [];
    const bound = field.bind(property);
    // Attributes and names of attributes have another form in 1.x, under another tag.
    if (bound.tags.length > 1) return [];
    const versions = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return versions
      .filter((version) => version < tag.first || version > tag.last)
      .map((version) => ({ operation, property, version, bound }));
  });
});

describe("a field of an answer that the version lacks", () => {
  it.each(lacking)(
    "$operation $property, version $version: is an error, not left out",
    ({ bound, version }) => {
      const write = () => bound.write([{}], [], { version, direction: "response" });
      expect(write).toThrow(AbsentInVersion);
    },
  );

  it("is found", () => {
    expect(lacking.map(({ operation, property }) => `${operation} ${property}`)).toContain(
      "Encrypt authenticatedEncryptionTag",
    );
  });
});
