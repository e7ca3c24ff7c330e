/** Data keys that live in the HSM, under no other key: for one that takes no wrapped key back (KMIP before 1.4 has no Import). */

import { utf8 } from "#protocol/bytes.ts";
import { KEY, named, POLICY, policy, USAGE } from "#protocol/hierarchy/index.ts";
import type { KeyWrappingSpecification, RequestItem, ResponseItem } from "#protocol/kmip/index.ts";
import { UnexpectedAnswer } from "../client.ts";
import { getWrapped } from "./release.ts";

/** Bytes of a Unique Identifier that an EDK has room for. */
const MAX_IDENTIFIER = 128;

/** At the HSM: its Unique Identifier, and the Name that it has kept since it was made. */
export type Resident = { id: string; name: string };

/** A data key below that master key, which stays. It never works at the HSM, so it is not activated. */
export function makeResident(master: string, name: string): RequestItem {
  return {
    operation: "Create",
    payload: {
      objectType: "SymmetricKey",
      attributes: {
        ...KEY,
        cryptographicUsageMask: [...USAGE.data],
        sensitive: true,
        name: named(name),
        vendorAttributes: [policy(POLICY.parent, master)],
      },
    },
  };
}

/** The Unique Identifiers of what was made, UTF-8, as EDKs have them: none twice. */
export function residentKeys(answers: readonly ResponseItem[]): Uint8Array<ArrayBuffer>[] {
  const ids = answers.map((answer) => {
    const id = answer.operation === "Create" ? answer.payload?.uniqueIdentifier : undefined;
    if (id === undefined || id === "") throw new UnexpectedAnswer("the HSM made no key");
    return id;
  });
  if (new Set(ids).size !== ids.length) throw new UnexpectedAnswer("the HSM named two keys alike");
  const references = ids.map(utf8);
  if (references.some(({ length }) => length > MAX_IDENTIFIER))
    throw new UnexpectedAnswer("the HSM named a key by more than an EDK has room for");
  return references;
}

/** The Unique Identifier that an EDK has, which is signed. */
export function residentId(wrappedKey: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(wrappedKey);
}

/**
 * Its Name, and the key wrapped. A server may give an identifier again once its object is destroyed, and restored ones may clash: then
 * another key, of another account or tenant, answers to the reference.
 */
export function getResident({ id }: Resident, by: KeyWrappingSpecification): RequestItem[] {
  const name = { uniqueIdentifier: id, attributeReference: ["name" as const] };
  return [{ operation: "GetAttributes", payload: name }, getWrapped(by, id)];
}

/** Throws unless each of the objects has the Name that it was made with, and no other. `answers`: of the batch, those to Get Attributes in order. */
export function checkResident(answers: readonly ResponseItem[], asked: readonly Resident[]): void {
  const names = answers.flatMap((answer) =>
    answer.operation === "GetAttributes" ? [answer.payload?.attributes.name ?? []] : [],
  );
  const isEach = asked.every(({ name }, n) => {
    const [found, ...others] = names[n] ?? [];
    return found?.nameValue === name && others.length === 0;
  });
  if (!isEach || names.length !== asked.length)
    throw new UnexpectedAnswer("the HSM has another key under this identifier");
}
