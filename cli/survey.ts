/** What of a deployment an HSM has: looked for by name, and nothing is made. */
import {
  CUSTODIANS_CA,
  INSTANCES_CA,
  masterKeyName,
  named,
  PURPOSES,
  ROOT_CA,
  SIGNER,
  seedKeyName,
  TRUST_LIST,
} from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import type { ApartHsms } from "./bootstrap.ts";

/** Names of what `bootstrap` makes, and whether each is there. */
export async function survey(
  hsm: KmipClient,
  tenants: string[],
  apart: ApartHsms,
): Promise<Map<string, boolean>> {
  const found = new Map<string, boolean>();
  const look = async (at: KmipClient, name: string) => {
    const { uniqueIdentifier = [] } = await at.request("Locate", { attributes: { name: named(name) } });
    found.set(name, uniqueIdentifier.length > 0);
  };
  await look(hsm, ROOT_CA.key);
  await look(apart.ra ?? hsm, INSTANCES_CA.key);
  await look(apart.iam ?? hsm, CUSTODIANS_CA.key);
  for (const purpose of PURPOSES) {
    const { user, key } = SIGNER[purpose];
    await look((user === "kms" ? undefined : apart[user]) ?? hsm, key);
  }
  await look(hsm, TRUST_LIST);
  for (const tenant of tenants) {
    await look(hsm, masterKeyName(tenant));
    await look(hsm, seedKeyName(tenant));
  }
  return found;
}
