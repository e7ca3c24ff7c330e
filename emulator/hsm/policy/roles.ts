import type { Role } from "#protocol/hierarchy/index.ts";

/**
 * The operations that each role may ask for: data, default deny. What an operation may then do to an
 * object is decided by `access.ts`, `admission.ts` and `release.ts`.
 */

const DISCOVERY = ["Query", "DiscoverVersions", "Ping"];
const READING = [...DISCOVERY, "Locate", "GetAttributes"];
const LIFE = ["Activate", "Revoke", "Destroy"];

const OPERATIONS: Readonly<Record<Role, ReadonlySet<string> | "every">> = {
  kms: new Set([...READING, ...LIFE, "Create", "Import", "Get", "Sign"]),
  ra: new Set([...READING, ...LIFE, "Register", "Get", "Sign"]),
  iam: new Set([...READING, ...LIFE, "Create", "Get", "Sign", "RNGRetrieve"]),
  caas: new Set(DISCOVERY),
  audit: new Set([...READING, "Get", "Sign"]),
  officer: "every",
  user: "every",
};

export function mayAsk(role: Role, operation: string): boolean {
  const allowed = OPERATIONS[role];
  return allowed === "every" || allowed.has(operation);
}

/** Roles whose objects must come from the key hierarchy or be a recipient: they make nothing else. */
export function isRestricted(role: Role): boolean {
  return role !== "officer" && role !== "user";
}
