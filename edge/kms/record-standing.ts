/** What a tenant goes without, in the audit log of the object that works with its keys (M19). */

import { lacking, type TenantBackEnd } from "#protocol/hierarchy/index.ts";
import { authorize } from "../authorize.ts";
import { ok } from "../result.ts";
import type { DataKeyBackEnd } from "./back-ends/back-end.ts";
import { ofHsm } from "./back-ends/tenant.ts";
import type { Context } from "./context.ts";

type Entry = { name: "tenant" | "beside"; backEnd: Pick<DataKeyBackEnd, "standing"> };

/** Each entry once in an object's life. Where the tenant goes without nothing, nothing is asked. */
export class StandingRecord {
  /** Entries that are recorded, or being asked. */
  readonly #recorded = new Set<Entry["name"]>();

  /** Whoever asks for a key does not wait for it: an HSM that is away would keep them from what needs none. */
  async record(
    { store, backEnd }: Pick<Context, "store" | "backEnd">,
    settings: TenantBackEnd,
  ): Promise<void> {
    const gone: Entry[] = settings.without.length > 0 ? [{ name: "tenant", backEnd }] : [];
    // The HSM beside AWS KMS has an entry of its own.
    if (backEnd.beside && ofHsm(settings).without.length > 0)
      gone.push({ name: "beside", backEnd: backEnd.beside });
    const asked = gone.filter(({ name }) => !this.#recorded.has(name));
    for (const { name } of asked) this.#recorded.add(name);
    await Promise.all(
      asked.map(async ({ name, backEnd: one }) => {
        if (!(await this.#record(store, one))) this.#recorded.delete(name);
      }),
    );
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
