/** The officer's word whether the KMS may operate in the HSM with a tenant's data keys (M16): on its master keys, `false` until it is said. */

import { ALLOWED, POLICY, policy } from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { readPolicy } from "./hsm-object.ts";
import { currentMasterKey, replacedKey } from "./master-key.ts";

/** Whether it may, below the tenant's master key or one that this replaced and that is not retired. Throws `NoMasterKey`. */
export async function areOperationsAllowed(hsm: KmipClient, tenant: string): Promise<boolean> {
  for (const key of await liveMasterKeys(hsm, tenant))
    if ((await readPolicy(hsm, key, POLICY.operations)) === ALLOWED) return true;
  return false;
}

/** Allows it, or forbids it again, below each master key that still works; it holds at once. Throws `NoMasterKey`. */
export async function allowOperations(hsm: KmipClient, tenant: string, allowed: boolean): Promise<void> {
  for (const key of await liveMasterKeys(hsm, tenant)) await say(hsm, key, allowed);
}

/** The tenant's master key, and those before it that keys may still be under: the HSM looks at the one above a key. */
async function liveMasterKeys(hsm: KmipClient, tenant: string): Promise<string[]> {
  const current = await currentMasterKey(hsm, tenant);
  const found = [current];
  for (let before = await replacedKey(hsm, current); before; before = await replacedKey(hsm, before.uid))
    if (before.live) found.push(before.uid);
  return found;
}

async function say(hsm: KmipClient, uniqueIdentifier: string, allowed: boolean): Promise<void> {
  const was = await readPolicy(hsm, uniqueIdentifier, POLICY.operations);
  const newAttribute = { vendorAttributes: [policy(POLICY.operations, allowed ? ALLOWED : "false")] };
  if (was === undefined) {
    if (allowed) await hsm.request("AddAttribute", { uniqueIdentifier, newAttribute });
    return;
  }
  const currentAttribute = { vendorAttributes: [policy(POLICY.operations, was)] };
  await hsm.request("ModifyAttribute", { uniqueIdentifier, currentAttribute, newAttribute });
}
