/** What the HSM's policy has to refuse, or not to show. */

import { expect } from "vitest";
import { type HsmClient, outcome } from "./hsm.ts";

/**
 * Reasons of a refusal by policy of what is done with an object that the asker can see. Any other would prove nothing:
 * that an object is not there, least of all, since a mistyped identifier is not there either.
 */
export const REFUSALS = [
  "PermissionDenied",
  "Sensitive",
  "NotExtractable",
  "IncompatibleCryptographicUsageMask",
  "ReadOnlyAttribute",
  "AttributeReadOnly",
];

export async function expectRefused(
  attempts: Record<string, () => Promise<unknown>>,
  reasons: readonly string[] = REFUSALS,
): Promise<void> {
  for (const [what, attempt] of Object.entries(attempts)) {
    const reason = await outcome(attempt());
    expect(reasons, `${what}: ${reason}`).toContain(reason);
  }
}

/** To the asker these objects are not there, though they are: their owners (or who may use them) see them. */
export async function expectHidden(
  objects: [HsmClient, string][],
  attempts: Record<string, () => Promise<unknown>>,
): Promise<void> {
  await expectRefused(attempts, ["ObjectNotFound", "WrappingObjectNotFound"]);
  for (const [client, uniqueIdentifier] of objects) {
    const { attributes } = await client.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: ["state"],
    });
    expect(attributes.state).toBe("Active");
  }
}
