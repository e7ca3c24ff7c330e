/**
 * The requirement rows: ids and short titles of the specification, and the independent claims of the patents. A test
 * belongs to the row that its name begins with.
 */

export const ROWS: Readonly<Record<string, string>> = {
  W1: "Four keys, each encrypted by the next, each in its own store",
  W2: "Decrypt with a KMS cache hit",
  W3: "Decrypt with a KMS cache miss",
  W4: "Encrypt with a KMS cache hit",
  W5: "Encrypt with a KMS cache miss",
  W6: "Master key encrypted to the public half of the app-specific key",
  W7: "Decrypted keys are deleted a set time after their last use",
  W8: "KMS cache: prefetch, expiry, validation, invalidation",
  W9: "Trust between app, KMS, IAM, HSM and datastore",
  W10: "Data key life",
  W11: "Account life",
  W12: "Master and app-specific key life",
  W13: "Split operation",
  W14: "Optional second layer under the master key",
  W15: "Placement by configuration",
  M1: "Initialization by attestation",
  M2: "Initialization by secret zero",
  M3: "Initialization by authorization grant",
  M4: "Software enclave where no enclave exists",
  M5: "A custodian is a registered tenant with certificate and master key",
  M6: "Data encryption keys made in the HSM, returned encrypted with metadata",
  M7: "Key loading by grant",
  M8: "Key loading by rewrap",
  M9: "Key loading by seed",
  M10: "Stateless mode",
  M11: "KMS-retained keys",
  M12: "Policy-based access control",
  M13: "A microservice serves the one custodian it is bound to",
  M14: "Mutual authentication between custodian and microservice",
  M15: "Deployment as a service, sidecar or dependency",
  M16: "One REST contract for microservice and CaaS",
  M17: "Operations and key management",
  M18: "Works with the network cut once keys are loaded",
  M19: "Any KMIP HSM, and other back ends",
  M20: "Nothing is trusted twice",
  M21: "Update: a new measurement enrols again, no way back",
  A1: "Claim: encrypt with four keys, each from its own store, in order",
  A2: "Claim: data and master key symmetric, account and app-specific key asymmetric",
  A3: "Claim: Enc(master) and Enc(data) in the HSM, for the KMS alone",
  A5: "Claim: ciphertext in the memory from which the app-specific key came",
  A17: "Claim: the KMS's cache, missed and then hit",
  B1: "Claim: a data key rewrapped to the microservice's certificate",
  B2: "Claim: the encrypted data key is archived and used after a restart",
  B3: "Claim: the data key's own policy lists names and actions",
  B4: "Claim: with a sidecar, on one virtual machine",
  B7: "Claim: the microservice as an imported dependency",
};

/** Claims that one test shows together: by the first of them, the others. */
const TOGETHER: Readonly<Record<string, readonly string[]>> = {
  A1: ["A8", "A14", "A19"],
  A2: ["A6", "A9", "A13", "A15", "A18", "A20", "A23"],
  A3: ["A4", "A10", "A11", "A16", "A21"],
  A5: ["A12"],
  A17: ["A22"],
  B1: ["B8", "B15"],
  B2: ["B9", "B16"],
  B3: ["B10", "B17"],
  B4: ["B5", "B6", "B11", "B12", "B13", "B18", "B19"],
  B7: ["B14", "B20"],
};
const ROW_OF = new Map([
  ...Object.keys(ROWS).map((row) => [row, row] as const),
  ...Object.entries(TOGETHER).flatMap(([row, others]) => others.map((claim) => [claim, row] as const)),
]);

const ID = String.raw`\(?(?:and )?[WMAB]\d{1,2}\b\)?`;
/** Ids with a comma, a word or a space between them, after the promise where a name begins with one. */
const LEADING = new RegExp(String.raw`^(?:Promise \d:? )?(${ID}(?:(?:\s*(?:,|and|&)\s*|\s+)${ID})*)`);

/**
 * The rows that a test's name, or the name of a suite around it, begins with: `M3`, `W4 and W5`, `M13:`, `W10 W11`, `A1 (A8, A14)`; after
 * the promise where it begins with one: `Promise 2 W10`.
 */
export function rowsOf(names: readonly string[]): string[] {
  const ids = names.flatMap((name) => {
    const [, leading = ""] = LEADING.exec(name) ?? [];
    return leading.match(/[WMAB]\d{1,2}/g) ?? [];
  });
  return [...new Set(ids.flatMap((id) => ROW_OF.get(id) ?? []))];
}
