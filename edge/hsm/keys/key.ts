/** Keys of the hierarchy at the HSM: made there, or brought back as they were wrapped there. */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { KEY, type KeyClass, POLICY, policy, USAGE } from "#protocol/hierarchy/index.ts";
import type { KeyWrappingSpecification, RequestItem } from "#protocol/kmip/index.ts";
import type { NextName } from "./batch.ts";
import { getWrapped, underPair, underParent } from "./release.ts";

type Name = ReturnType<NextName>;

/** When a key is activated that works at once. */
export type At = { activationDate: Date };

/** Past by the clock of the HSM too. `now` in milliseconds. */
export function pastAt(now: number): At {
  return { activationDate: new Date(now - CLOCK_TOLERANCE * 1000) };
}

/**
 * Three items: a key of that class is made under its parent, given wrapped by it, and destroyed. The last two act on what the first
 * made (KMIP 2.1, ID Placeholder). It never works at the HSM, so it is not activated. `by`: how it is wrapped, where that is not the
 * usual way for its parent.
 */
export function makeUnder(
  parent: string,
  {
    class: keyClass,
    name,
    byPair = false,
    by = byPair ? underPair(parent) : underParent(parent),
  }: { class: KeyClass; name: Name; byPair?: boolean; by?: KeyWrappingSpecification },
) {
  return [
    {
      operation: "Create",
      payload: {
        objectType: "SymmetricKey",
        attributes: {
          ...KEY,
          cryptographicUsageMask: [...USAGE[keyClass]],
          sensitive: true,
          name,
          vendorAttributes: [policy(POLICY.parent, parent)],
        },
      },
    },
    getWrapped(by),
    { operation: "Destroy", payload: {} },
  ] satisfies RequestItem[];
}

/** A key that comes back as it was wrapped. */
export type ImportedKey = {
  /** A random identifier, since it lives as long as one batch. */
  id: string;
  class: KeyClass;
  wrapped: Uint8Array<ArrayBuffer>;
  wrappedBy: string;
  /** Whether that is a pair. */
  byPair?: boolean;
  /** How it wraps it, where that is not as a parent usually does. */
  by?: KeyWrappingSpecification;
  name: Name;
  /** Milliseconds since 1970. */
  now: number;
};

/** Import of a key that `wrappedBy` wraps and the HSM unwraps (KMIP 2.1 §6.1.25 Import, Key Wrap Type Not Wrapped). */
export function importWrapped(key: ImportedKey): RequestItem {
  const { by = key.byPair ? underPair(key.wrappedBy) : underParent(key.wrappedBy) } = key;
  return {
    operation: "Import",
    payload: {
      uniqueIdentifier: key.id,
      objectType: "SymmetricKey",
      replaceExisting: false,
      keyWrapType: "NotWrapped",
      attributes: { ...KEY, ...importedAttributes(key) },
      object: wrappedObject(key.wrapped, by),
    },
  };
}

/** Of what comes back for a batch. */
export function importedAttributes(key: { class: KeyClass; now: number; name: Name }) {
  return {
    cryptographicUsageMask: [...USAGE[key.class]],
    sensitive: true,
    ...pastAt(key.now),
    name: key.name,
  };
}

/** A key of the hierarchy as it comes to the HSM: `by` says how, and under which key, it is wrapped. */
export function wrappedObject(keyMaterial: Uint8Array<ArrayBuffer>, by: KeyWrappingSpecification) {
  const wrapped = { keyFormatType: "Raw" as const, keyValue: { keyMaterial }, ...KEY, keyWrappingData: by };
  return { symmetricKey: { keyBlock: wrapped } };
}
