/** The admin whom a deployment's setting names: the first, before anybody can make another. */

import { digest } from "#protocol/digest.ts";
import { principalId } from "#protocol/principal.ts";
import type { Person } from "../person.ts";
import type { Tenant } from "../tenants.ts";
import type { KeptStanding } from "./standing.ts";

/** Whether the setting names this principal, by its id or by what was kept of the address at its last sign-in. */
export async function isNamedAdmin(
  { name: tenant, admins }: Tenant,
  user: string,
  kept: string | null,
): Promise<boolean> {
  for (const admin of admins) {
    if (
      "email" in admin
        ? (await digest(admin.email)) === kept
        : (await principalId({ tenant, ...admin })) === user
    )
      return true;
  }
  return false;
}

/** What other domains learn of a principal. */
export async function standingFor(
  tenant: Tenant,
  user: string,
  { roles, groups, admin }: KeptStanding,
): Promise<Person> {
  const named = await isNamedAdmin(tenant, user, admin);
  return { roles: [...new Set([...roles, ...(named ? ["admin"] : [])])].sort(), groups };
}
