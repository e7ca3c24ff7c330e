import { masterKeyName, named, WORKING } from "#protocol/hierarchy/index.ts";
import { fromHsm } from "../hsm/index.ts";
import { ok, type Result } from "../result.ts";
import type { Context } from "./context.ts";

/** Whether the tenant has a master key at the HSM (M5). Asked again each time: one that was revoked since is none. */
export function hasMasterKey({ hsm, store }: Context): Promise<Result<boolean>> {
  return fromHsm("master-key", async () => {
    const name = named(masterKeyName(store.tenant));
    const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name, state: WORKING } });
    return ok(uniqueIdentifier.length === 1);
  });
}
