/** The officer's word on whether the HSM operates for a tenant (M16): a policy attribute of its master key. */

import { ALLOWED, POLICY, policyAttribute, VENDOR } from "#protocol/hierarchy/index.ts";
import type { RequestItem, ResponseItem } from "#protocol/kmip/index.ts";
import { UnexpectedAnswer } from "../../hsm/index.ts";

/** Asks for it; `master`: identifier of the master key at the HSM. `isAllowed` reads the answer. */
export function readAllowed(master: string): RequestItem {
  const attributeReference = [{ vendorIdentification: VENDOR, attributeName: POLICY.operations }];
  return { operation: "GetAttributes", payload: { uniqueIdentifier: master, attributeReference } };
}

/** What is not said is not allowed. Throws unless it is an answer to `readAllowed`. */
export function isAllowed(answer: ResponseItem | undefined): boolean {
  if (answer?.operation !== "GetAttributes" || !answer.payload)
    throw new UnexpectedAnswer("the HSM says nothing of the master key");
  return policyAttribute(answer.payload.attributes, POLICY.operations) === ALLOWED;
}
