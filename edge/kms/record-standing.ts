/** What a tenant goes without, in the audit log of the object that works with its keys (M19). */

import { lacking, type TenantBackEnd } from "#protocol/hierarchy/index.ts";
import { authorize } from "../authorize.ts";
import { ok } from "../result.ts";
import type { DataKeyBackEnd } from "./back-ends/back-end.ts";
import { ofHsm } from "./back-ends/tenant.ts";
import type { Context } from "./context.ts";

/** Once in an object's life. Where the tenant goes without nothing, nothing is asked. */
export class StandingRecord {
  #recorded = false;

  /** Whoever asks for a key does not wait for it: an HSM that is away would keep them from what needs none. */
  async record(
    { store, backEnd }: Pick<Context, "store" | "backEnd">,
    settings: TenantBackEnd,
  ): Promise<void> {
    const gone: Pick<DataKeyBackEnd, "standing">[] = settings.without.length > 0 ? [backEnd] : [];
    // The HSM beside AWS KMS has an entry of its own.
    if (backEnd.beside && ofHsm(settings).without.length > 0) gone.push(backEnd.beside);
    if (gone.length === 0 || this.#recorded) return;
    this.#recorded = true;
    const recorded = await Promise.all(gone.map((one) => this.#record(store, one)));
    this.#recorded = recorded.every(Boolean);
  }

  async #record(store: Context["store"], backEnd: Pick<DataKeyBackEnd, "standing">): Promise<boolean> {
    // Who asks hears of it when the HSM is needed.
    const standing = await backEnd.standing().catch(() => undefined);
    const lacks = lacking(standing?.keeps ?? []);
    if (standing === undefined || lacks.length === 0) return false;
    const resource = `back-end/${standing.name}/without/${lacks.join(",")}`;
    const about = { action: "kms:back-end", caller: null, resource, requestId: crypto.randomUUID() };
    authorize<null>(store, about, () => ok(null));
    return true;
  }
}
