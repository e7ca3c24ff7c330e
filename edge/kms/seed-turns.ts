/**
 * How much a tenant has derived from seeds (M9): each derivation is a tenth of a second of the HSM's processor, which all tenants share, so
 * it has limits of its own. Kept by the tenant's object.
 */

import { takeTurn } from "../pace.ts";
import { type Decision, ok, refuseForNow } from "../result.ts";

/** Grants for keys of a seed, of one user and of all of a tenant. */
const OF_A_USER_PER_MINUTE = 20;
const OF_A_TENANT_PER_MINUTE = 120;
/** Derivations of a tenant that are under way at a time: as many as the HSM works on. */
const UNDER_WAY = 2;
/** One that says nothing for so long was cut off: longer than the HSM is waited for. Milliseconds. */
const CUT_OFF_MS = 30_000;

/** A turn of the user first, so that nobody uses up those of the others. `now` in seconds. */
export function takeSeedTurn(sql: SqlStorage, user: string, now: number): Decision<null> {
  const own = takeTurn(sql, { what: "kms:seed", user }, OF_A_USER_PER_MINUTE, now);
  return own.ok ? takeTurn(sql, { what: "kms:seeds", user: "" }, OF_A_TENANT_PER_MINUTE, now) : own;
}

/** Which derivations are under way, by names of their own. In memory: what an eviction forgets was cut off by it. */
export class SeedsUnderWay {
  readonly #since = new Map<string, number>();

  /** `now` in milliseconds. */
  begin(name: string, now: number): Decision<null> {
    for (const [other, since] of this.#since) if (since + CUT_OFF_MS <= now) this.#since.delete(other);
    if (this.#since.size >= UNDER_WAY) return refuseForNow("derivations from seeds under way", 1);
    this.#since.set(name, now);
    return ok(null);
  }

  end(name: string): void {
    this.#since.delete(name);
  }
}
