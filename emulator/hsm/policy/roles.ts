/**
 * Identities and the operations that each may ask for: data, default deny. What an operation may then do to an
 * object is decided by `access.ts`, `admission.ts` and `release.ts`.
 */

/** `user` is whoever else the client authority has named: an ordinary KMIP client with its own objects. */
export type Role = "officer" | "kms" | "ra" | "iam" | "caas" | "audit" | "user";

/** The officer's identity. */
export const OFFICER = "coffer-officer";

const IDENTITIES: Readonly<Record<string, Role>> = {
  [OFFICER]: "officer",
  "coffer-kms": "kms",
  "coffer-ra": "ra",
  "coffer-iam": "iam",
  "coffer-caas": "caas",
  "coffer-audit": "audit",
};

/** Names that look like ours and are not in the table are nobody. */
const RESERVED = /^coffer-/i;

/** Whether a common name is one of ours, or looks like one. */
export function isReserved(identity: string): boolean {
  return RESERVED.test(identity);
}

/** The role of a common name; undefined for one that must not be served. */
export function roleOf(identity: string): Role | undefined {
  if (Object.hasOwn(IDENTITIES, identity)) return IDENTITIES[identity];
  return isReserved(identity) ? undefined : "user";
}

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
