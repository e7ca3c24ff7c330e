import type { AttributeReference, Attributes } from "#protocol/kmip/index.ts";

/** Those of an object's attributes that are named. */
export function chosen(all: Attributes, references: AttributeReference[]): Attributes {
  const { attributeIndex } = all;
  const record: Record<string, unknown> = attributeIndex ? { attributeIndex } : {};
  for (const reference of distinct(references)) {
    if (typeof reference === "string") record[reference] = all[reference];
    else if ("vendorIdentification" in reference) {
      const found = all.vendorAttributes?.filter(
        (attribute) =>
          attribute.vendorIdentification === reference.vendorIdentification &&
          attribute.attributeName === reference.attributeName,
      );
      record.vendorAttributes = [...((record.vendorAttributes as unknown[]) ?? []), ...(found ?? [])];
    }
  }
  return record as Attributes;
}

/** What is asked for twice is returned once. */
export function distinct(references: AttributeReference[]): AttributeReference[] {
  return [...new Map(references.map((one) => [JSON.stringify(one), one])).values()];
}
