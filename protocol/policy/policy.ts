/** What a policy on a key says. It stands inside a signed record (EDK, load receipt), so it is small and closed. */

/** The operations on a key that a policy can allow (M17). What is not listed is denied. */
export const OPERATIONS = ["encrypt", "decrypt", "sign", "verify", "mac", "macVerify"] as const;
export type Operation = (typeof OPERATIONS)[number];

/** How much is known of the instance that asks, weakest first. It stands in its certificate as a policy OID. */
export const TIERS = ["software", "emulated", "hardware"] as const;
export type Tier = (typeof TIERS)[number];

/** The place of a tier that is demanded. One that is not known is above all. */
export function rank(tier: Tier): number {
  const place = TIERS.indexOf(tier);
  return place < 0 ? Number.POSITIVE_INFINITY : place;
}

/** A policy on one key. Everything that is absent does not restrict; `operations` is never absent: default deny. */
export type KeyPolicy = {
  /** Operations allowed, each at most once. */
  operations: Operation[];
  /** Distinguished Names (RFC 4514) of the custodians that may use the key. Absent: every custodian of its account. */
  principals?: string[];
  /** Distinguished Names refused whatever else is said (deny wins). */
  denied?: string[];
  /** The weakest instance that may hold the key. */
  tier?: Tier;
  /** From this moment on the key may not be used, seconds since 1970. */
  expires?: number;
};

const MEMBERS = new Set(["operations", "principals", "denied", "tier", "expires"]);
const MAX_PRINCIPALS = 16;
const MAX_NAME = 256;

/** Tells whether a parsed JSON value is a policy: exact members, bounded lists, no duplicates. */
export function isKeyPolicy(value: unknown): value is KeyPolicy {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const policy = value as Record<string, unknown>;
  if (Object.keys(policy).some((member) => !MEMBERS.has(member))) return false;
  return (
    isSet(policy.operations, OPERATIONS.length, (item) => OPERATIONS.includes(item as Operation)) &&
    (policy.principals === undefined || isSet(policy.principals, MAX_PRINCIPALS, isName)) &&
    (policy.denied === undefined || isSet(policy.denied, MAX_PRINCIPALS, isName)) &&
    (policy.tier === undefined || TIERS.includes(policy.tier as Tier)) &&
    (policy.expires === undefined ||
      (Number.isSafeInteger(policy.expires) && (policy.expires as number) >= 0))
  );
}

function isSet(value: unknown, most: number, isItem: (item: unknown) => boolean): boolean {
  return (
    Array.isArray(value) &&
    value.length <= most &&
    new Set(value).size === value.length &&
    value.every(isItem)
  );
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_NAME;
}
