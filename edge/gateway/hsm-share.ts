/**
 * How much of the HSM one tenant may have at a time. Requests that reach the HSM are counted while they are under way, in this isolate; each
 * tenant has an even share of what all may have together, and more as long as others leave it. One that asks for more than that is refused before anything of its request is done, and told when
 * to come again: a request that waited here would keep its place from others, and one request cannot wait for another in a worker.
 */

import { configuredBound } from "../bound.ts";
import { refuseForNow } from "../result.ts";
import type { GatewayContext } from "./context.ts";
import { HAS_A_SHARE } from "./hsm-routes.ts";
import { refused } from "./problem.ts";

/** Under way for all tenants together, unless configured otherwise: some seconds of an HSM that does a hundred a second. */
const DEFAULT_MOST = 256;

/** Counts what is under way, by tenant. */
export class Shares {
  readonly #underWay = new Map<string, number>();
  /** Of all tenants. */
  #all = 0;

  /** Whether one more of this tenant may begin, where all may have `most`; then `end` is to be called. Whoever has nothing under way always may. */
  begin(tenant: string, most: number): boolean {
    const own = this.#underWay.get(tenant) ?? 0;
    const tenants = this.#underWay.size + (own === 0 ? 1 : 0);
    if (this.#all >= most && own >= Math.max(1, Math.floor(most / tenants))) return false;
    this.#underWay.set(tenant, own + 1);
    this.#all++;
    return true;
  }

  end(tenant: string): void {
    this.#all--;
    const left = (this.#underWay.get(tenant) ?? 0) - 1;
    if (left > 0) this.#underWay.set(tenant, left);
    else this.#underWay.delete(tenant);
  }
}

/** Of this isolate: what a request has under way is known here and nowhere else. */
const shares = new Shares();

/** Does the work of a route within its tenant's share. Throws `Refused` (`too-many-requests`) where that is used up. */
export async function withinShare<T>(
  { env, var: { site } }: GatewayContext,
  route: string,
  work: () => Promise<T> | T,
): Promise<T> {
  if (!HAS_A_SHARE.has(route)) return work();
  const { COFFER_HSM_REQUESTS_UNDER_WAY: configured } = env;
  const most = configuredBound("COFFER_HSM_REQUESTS_UNDER_WAY", configured, DEFAULT_MOST);
  const { name } = site.tenant;
  if (!shares.begin(name, most)) throw refused(refuseForNow("share of a tenant", 1).problem);
  try {
    return await work();
  } finally {
    shares.end(name);
  }
}
