/** What a tenant goes without, in the audit log of the object that works with its keys (M19). */

import { lacking, type TenantBackEnd } from "#protocol/hierarchy/index.ts";
import { authorize } from "../authorize.ts";
import { ok } from "../result.ts";
import type { Context } from "./context.ts";

/** Once in an object's life. Where the tenant goes without nothing, nothing is asked. */
export class StandingRecord {
  #recorded = false;

  /** Whoever asks for a key does not wait for it: an HSM that is away would keep them from what needs none. */
  async record(
    { store, backEnd }: Pick<Context, "store" | "backEnd">,
    { without }: Pick<TenantBackEnd, "without">,
  ): Promise<void> {
    if (without.length === 0 || this.#recorded) return;
    this.#recorded = true;
    // Who asks hears of it when the HSM is needed.
    const standing = await backEnd.standing().catch(() => undefined);
    const lacks = lacking(standing?.keeps ?? []);
    if (standing === undefined || lacks.length === 0) {
      this.#recorded = false;
      return;
    }
    const resource = `back-end/${standing.name}/without/${lacks.join(",")}`;
    const about = { action: "kms:back-end", caller: null, resource, requestId: crypto.randomUUID() };
    authorize<null>(store, about, () => ok(null));
  }
}
