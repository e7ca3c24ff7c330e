/** What a policy on a key says. It stands inside a signed record (EDK, load receipt), so it is small and closed. */

import { fits, literal, object, type Shape, seconds, set, text } from "../shape.ts";

/** The operations on a key that a policy can allow (M17). What is not listed is denied. */
export const KEY_OPERATIONS = ["encrypt", "decrypt", "sign", "verify", "mac", "macVerify"] as const;
export type KeyOperation = (typeof KEY_OPERATIONS)[number];

/**
 * What can be done with a key: to make one, to release it to an instance that needs no receipt for it (levels `account` and
 * `master`), and the operations on it.
 */
export type Action = "create" | "release" | "share" | KeyOperation;

/** How much is known of the instance that asks, weakest first. It stands in its certificate as a policy OID. */
export const TIERS = ["software", "emulated", "hardware"] as const;
export type Tier = (typeof TIERS)[number];

/** The place of a tier that is demanded. One that is not known is above all. */
export function rank(tier: Tier): number {
  const place = TIERS.indexOf(tier);
  return place < 0 ? Number.POSITIVE_INFINITY : place;
}

/** How a data key can be encrypted on its way to an instance; `hybrid`: by X25519 and ML-KEM-768 (`protocol/hybrid.ts`). */
export const WRAPPINGS = ["RSA-OAEP", "hybrid"] as const;
export type Wrapping = (typeof WRAPPINGS)[number];

/** A policy on one key. Everything that is absent does not restrict; `operations` is never absent: default deny. */
export type KeyPolicy = {
  /** Operations allowed, each at most once. */
  operations: KeyOperation[];
  /** Distinguished Names (RFC 4514) of the custodians that may use the key; `CN=*` leaves the common name open. Absent: every custodian of its account. */
  principals?: string[];
  /** The same of those that are always refused (deny wins). */
  denied?: string[];
  /** The weakest instance that may hold the key. */
  tier?: Tier;
  /** How the key has to be encrypted on its way to an instance. */
  wrapping?: "hybrid";
  /** From this moment on the key may not be used, seconds since 1970. */
  expires?: number;
};

const names = set(text(1, 256), 0, 16);

/** Exact members, bounded lists, no duplicates. */
export const keyPolicy: Shape<KeyPolicy> = object(
  { operations: set(literal(...KEY_OPERATIONS), 0, KEY_OPERATIONS.length) },
  {
    ...{ principals: names, denied: names, tier: literal(...TIERS), expires: seconds },
    wrapping: literal("hybrid"),
  },
);

/** Whether a parsed JSON value is a policy. */
export function isKeyPolicy(value: unknown): value is KeyPolicy {
  return fits(keyPolicy, value);
}
