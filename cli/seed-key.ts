/** What the officer does with the key for a tenant's seeds (class `seed-hmac`): made once, inside the HSM, when the tenant is registered. */

import { named, POLICY, policy, SEED_HMAC, seedKeyName, USAGE, users } from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { locate } from "./hsm-object.ts";
import type { TenantKey } from "./master-key.ts";

/** Makes it unless it is there. It is never replaced: with another one the same seed would give another data key. */
export async function ensureSeedKey(
  hsm: KmipClient,
  { name: tenant, level }: Pick<TenantKey, "name" | "level">,
  now: Date,
): Promise<void> {
  const name = seedKeyName(tenant);
  if (await locate(hsm, name, "SymmetricKey")) return;
  await hsm.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...SEED_HMAC,
      name: named(name),
      cryptographicUsageMask: [...USAGE["seed-hmac"]],
      sensitive: true,
      extractable: false,
      activationDate: now,
      vendorAttributes: [
        policy(POLICY.class, "seed-hmac"),
        policy(POLICY.level, level),
        policy(POLICY.tenant, tenant),
        users("kms"),
      ],
    },
  });
}
