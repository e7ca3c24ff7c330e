/** The requirement rows: ids and short titles of the specification. A test belongs to the row that its name begins with. */

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
};

/** The rows that a test's name, or the name of a suite around it, begins with: `M3`, `W4 and W5`, `M13:`. */
export function rowsOf(names: readonly string[]): string[] {
  const rows = names.flatMap((name) => {
    const leading = /^(?:(?:[WM]\d{1,2})(?:\s*(?:,|and|&)\s*|\b))+/.exec(name)?.[0] ?? "";
    return leading.match(/[WM]\d{1,2}/g) ?? [];
  });
  return [...new Set(rows)].filter((row) => row in ROWS);
}
