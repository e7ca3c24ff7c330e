import { expect } from "vitest";
import { type KmipClient, KmipError } from "#protocol/kmip/index.ts";

/** For tests: what the HSM refuses, and why. A refusal for another reason (a mistyped identifier) proves nothing. */

/** The Result Reason with which the HSM refuses; throws when it does not. */
export async function reason(answer: Promise<unknown>): Promise<unknown> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof KmipError) return error.code;
    throw error;
  }
  return "Success";
}

export const refused = (answer: Promise<unknown>) => expect(reason(answer)).resolves;
export const denied = (answer: Promise<unknown>) => refused(answer).toBe("PermissionDenied");

/** Refusals by policy of what is done with an object that the asker can see. */
const REFUSALS: readonly unknown[] = ["PermissionDenied", "Sensitive", "NotExtractable"];

/** All are refused by policy; each is named in the failure. */
export async function allDenied(attempts: Record<string, Promise<unknown>>): Promise<void> {
  const reasons = await reasonsOf(attempts);
  expect(reasons.filter(([, code]) => !REFUSALS.includes(code))).toEqual([]);
}

/** To all of them the object is not there, though it is: its owner sees it. */
export async function allHidden(
  owner: KmipClient,
  uniqueIdentifier: string,
  attempts: Record<string, Promise<unknown>>,
): Promise<void> {
  const reasons = await reasonsOf(attempts);
  const { attributes } = await owner.request("GetAttributes", {
    uniqueIdentifier,
    attributeReference: ["state"],
  });
  expect(attributes.state).toMatch(/^(PreActive|Active)$/);
  expect(reasons.filter(([, code]) => code !== "ObjectNotFound")).toEqual([]);
}

async function reasonsOf(attempts: Record<string, Promise<unknown>>): Promise<[string, unknown][]> {
  return Promise.all(
    Object.entries(attempts).map(
      async ([what, attempt]) => [what, await reason(attempt)] as [string, unknown],
    ),
  );
}
