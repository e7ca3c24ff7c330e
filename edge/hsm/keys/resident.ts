/** Data keys that live in the HSM, under no other key: for one that takes no wrapped key back (KMIP before 1.4 has no Import). */

import { utf8 } from "#protocol/bytes.ts";
import { KEY, type named, POLICY, policy, USAGE } from "#protocol/hierarchy/index.ts";
import type { RequestItem, ResponseItem } from "#protocol/kmip/index.ts";
import { UnexpectedAnswer } from "../client.ts";

/** A data key below that master key, which stays. It never works at the HSM, so it is not activated. */
export function makeResident(master: string, name: ReturnType<typeof named>): RequestItem {
  return {
    operation: "Create",
    payload: {
      objectType: "SymmetricKey",
      attributes: {
        ...KEY,
        cryptographicUsageMask: [...USAGE.data],
        sensitive: true,
        name,
        vendorAttributes: [policy(POLICY.parent, master)],
      },
    },
  };
}

/** The Unique Identifiers of what was made, UTF-8, as EDKs have them. */
export function residentKeys(answers: readonly ResponseItem[]): Uint8Array<ArrayBuffer>[] {
  return answers.map((answer) => {
    const id = answer.operation === "Create" ? answer.payload?.uniqueIdentifier : undefined;
    if (id === undefined || id === "") throw new UnexpectedAnswer("the HSM made no key");
    return utf8(id);
  });
}

/** The Unique Identifier that an EDK has, which is signed. */
export function residentId(wrappedKey: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(wrappedKey);
}
