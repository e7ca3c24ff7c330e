/** The officer's word whether the KMS may operate in the HSM with a tenant's data keys (M16): on its master key, `false` until it is said. */

import { ALLOWED, POLICY, policy } from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { readPolicy } from "./hsm-object.ts";
import { currentMasterKey } from "./master-key.ts";

/** Whether it may. Throws `NoMasterKey`. */
export async function areOperationsAllowed(hsm: KmipClient, tenant: string): Promise<boolean> {
  return (await readPolicy(hsm, await currentMasterKey(hsm, tenant), POLICY.operations)) === ALLOWED;
}

/** Allows it, or forbids it again; it holds at once. Throws `NoMasterKey`. */
export async function allowOperations(hsm: KmipClient, tenant: string, allowed: boolean): Promise<void> {
  const uniqueIdentifier = await currentMasterKey(hsm, tenant);
  const was = await readPolicy(hsm, uniqueIdentifier, POLICY.operations);
  const newAttribute = { vendorAttributes: [policy(POLICY.operations, allowed ? ALLOWED : "false")] };
  if (was === undefined) {
    if (allowed) await hsm.request("AddAttribute", { uniqueIdentifier, newAttribute });
    return;
  }
  const currentAttribute = { vendorAttributes: [policy(POLICY.operations, was)] };
  await hsm.request("ModifyAttribute", { uniqueIdentifier, currentAttribute, newAttribute });
}
