/** Names of tags and enumeration values as the KMIP encodings write them. */

/**
 * Normalises a name of the specification's tables to the form that the JSON and XML encodings use
 * (KMIP Profiles 2.1 §5.4 XML Profiles, six rules): `Re-key` → `ReKey`, `SHA-256` → `SHA_256`, `3DES` → `DES3`.
 */
export function normaliseName(name: string): string {
  const [first = "", ...others] = name
    .replace(/[()]/g, " ")
    .replace(/[^A-Za-z0-9_]([A-Za-z][a-z])/g, " $1")
    .replace(/[^A-Za-z0-9_\s]/g, "_")
    .trim()
    .split(/\s+/);
  const words = [first.replace(/^(\d+)(.*)$/, "$2$1"), ...others];
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

/**
 * The property under which typed messages hold a tag: the leading acronym or letter in lower case
 * (`MACData` → `macData`, `IVCounterNonce` → `ivCounterNonce`, `QString` → `qString`), a closing `ID` as `Id`.
 */
export function propertyName(tagName: string): string {
  return tagName
    .replace(/(?<=[a-z])ID$/, "Id")
    .replace(/^[A-Z]+(?=[A-Z][a-z]|[^A-Za-z]|$)|^[A-Z]/, (head) => head.toLowerCase());
}
