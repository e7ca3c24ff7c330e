import { masterKeyName, named, WORKING } from "#protocol/hierarchy/index.ts";
import { fromHsm, type Hsm } from "../hsm/index.ts";
import { ok, type Result } from "../result.ts";

/** How long the HSM's yes is good: what is denied for a whole tenant is denied within ten seconds. Milliseconds. */
const KEPT_MS = 10_000;

/** Until when a tenant is known to have one, in this isolate. There are no more tenants than a deployment's table names. */
const kept = new Map<string, number>();

/** Whether the tenant has a master key at the HSM (M5). One that was revoked is none ten seconds later; a no is asked again each time. */
export async function hasMasterKey(hsm: Pick<Hsm, "request">, tenant: string): Promise<Result<boolean>> {
  const now = Date.now();
  if (now < (kept.get(tenant) ?? 0)) return ok(true);
  return fromHsm("master-key", async () => {
    const name = named(masterKeyName(tenant));
    const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name, state: WORKING } });
    const has = uniqueIdentifier.length === 1;
    if (has) kept.set(tenant, now + KEPT_MS);
    return ok(has);
  });
}
