import { named, type PolicyAttribute, policy, policyAttribute, VENDOR } from "#protocol/hierarchy/index.ts";
import type { Attributes, KmipClient } from "#protocol/kmip/index.ts";

/** Objects of the officer at the HSM, by name. */

export async function locate(
  hsm: KmipClient,
  name: string,
  objectType: Attributes["objectType"],
): Promise<string | undefined> {
  const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name: named(name), objectType } });
  return uniqueIdentifier?.[0];
}

/** The text of an object's policy attribute. */
export async function readPolicy(hsm: KmipClient, uniqueIdentifier: string, name: PolicyAttribute) {
  const { attributes } = await hsm.request("GetAttributes", {
    uniqueIdentifier,
    attributeReference: [{ vendorIdentification: VENDOR, attributeName: name }],
  });
  return policyAttribute(attributes, name);
}

/** Gives an object of an earlier release a policy attribute that it does not have yet. */
export async function ensurePolicy(
  hsm: KmipClient,
  uniqueIdentifier: string,
  name: PolicyAttribute,
  value: string,
): Promise<void> {
  if ((await readPolicy(hsm, uniqueIdentifier, name)) !== undefined) return;
  const newAttribute = { vendorAttributes: [policy(name, value)] };
  await hsm.request("AddAttribute", { uniqueIdentifier, newAttribute });
}
