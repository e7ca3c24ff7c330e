/**
 * How many RSA pairs a tenant has made that sign (M17): each is a second of the HSM's processor, which all tenants share, so they have a
 * limit of their own. Kept by the tenant's object.
 */

import { takeTurn } from "../pace.ts";
import type { Decision } from "../result.ts";

/** Pairs of one user and of all of a tenant. */
const OF_A_USER_PER_MINUTE = 10;
const OF_A_TENANT_PER_MINUTE = 30;

/** All of them or none; the user's first, so that nobody uses up those of the others. `now` in seconds. */
export function takePairTurns(sql: SqlStorage, user: string, count: number, now: number): Decision<null> {
  const own = takeTurn(sql, { what: "kms:pair", user }, OF_A_USER_PER_MINUTE / count, now);
  if (!own.ok) return own;
  return takeTurn(sql, { what: "kms:pairs", user: "" }, OF_A_TENANT_PER_MINUTE / count, now);
}
