/** Pieces of KMIP payloads that data keys and rewrapping share. */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { KEY, type KeyClass, UNDER_PARENT, type USAGE } from "#protocol/hierarchy/index.ts";
import type { RequestItem } from "#protocol/kmip/index.ts";
import type { nameOf } from "./batch.ts";

/** Account and data keys are AES-256 sized: 32 bytes, 40 under AES Key Wrap (RFC 3394). */
export const WRAPPED_LENGTH = 40;

/** A random identifier for an object that lives as long as one batch. */
export function transientId(): string {
  return crypto.randomUUID();
}

/** Import of an AES-wrapped key which the HSM unwraps by `wrappedBy` (KMIP 2.1 §6.1.25 Import, Key Wrap Type Not Wrapped). */
export function importWrapped(key: {
  id: string;
  wrapped: Uint8Array<ArrayBuffer>;
  wrappedBy: string;
  usage: (typeof USAGE)[KeyClass];
  name: ReturnType<typeof nameOf>;
  now: number;
}): RequestItem {
  return {
    operation: "Import",
    payload: {
      uniqueIdentifier: key.id,
      objectType: "SymmetricKey",
      replaceExisting: false,
      keyWrapType: "NotWrapped",
      attributes: {
        ...KEY,
        cryptographicUsageMask: [...key.usage],
        sensitive: true,
        activationDate: past(key.now),
        name: key.name,
      },
      object: {
        symmetricKey: {
          keyBlock: {
            keyFormatType: "Raw",
            keyValue: { keyMaterial: key.wrapped },
            ...KEY,
            keyWrappingData: {
              wrappingMethod: "Encrypt",
              encryptionKeyInformation: {
                uniqueIdentifier: key.wrappedBy,
                cryptographicParameters: UNDER_PARENT,
              },
              encodingOption: "NoEncoding",
            },
          },
        },
      },
    },
  };
}

/** Revoke and Destroy, in this order: an active object cannot be destroyed (KMIP 2.1 §6.1.15 Destroy). */
export function retire(uniqueIdentifier: string): RequestItem[] {
  return [
    {
      operation: "Revoke",
      payload: { uniqueIdentifier, revocationReason: { revocationReasonCode: "CessationOfOperation" } },
    },
    { operation: "Destroy", payload: { uniqueIdentifier } },
  ];
}

/** An activation date that is past by the clock of the HSM too. `now` in milliseconds. */
export function past(now: number): Date {
  return new Date(now - CLOCK_TOLERANCE * 1000);
}
