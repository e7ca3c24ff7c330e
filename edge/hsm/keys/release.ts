/** How a key leaves the HSM: wrapped under its parent, or to a recipient. Never a Decrypt, never unwrapped. */

import {
  DATA_UNDER_MASTER,
  DATA_UNDER_PAIR,
  PRIVATE_UNDER_PARENT,
  TO_HYBRID_RECIPIENT,
  TO_RECIPIENT,
  UNDER_PARENT,
} from "#protocol/hierarchy/index.ts";
import { HYBRID_LENGTH } from "#protocol/hybrid.ts";
import type {
  KeyBlock,
  KeyWrappingSpecification,
  RequestItem,
  ResponseItem,
  UniqueIdentifier,
} from "#protocol/kmip/index.ts";
import { UnexpectedAnswer } from "../client.ts";

/** Keys of the hierarchy have 32 bytes, 40 under AES Key Wrap (RFC 3394), 384 under the public half of a pair of 3072 bits. */
const WRAPPED_LENGTH = 40;
export const PAIR_LENGTH = 384;
/** Bytes of ciphertexts under a recipient's RSA key of 3072 and of 4096 bits. */
const RSA_LENGTHS = [384, 512];

export function underParent(uniqueIdentifier: string): KeyWrappingSpecification {
  return encryptedBy({ uniqueIdentifier, cryptographicParameters: UNDER_PARENT });
}

/** How a symmetric key stands under a pair. `uniqueIdentifier` is that of its private half at the HSM, which stands for both. */
export function underPair(uniqueIdentifier: string): KeyWrappingSpecification {
  return encryptedBy({ uniqueIdentifier, cryptographicParameters: TO_RECIPIENT });
}

/** How a key is kept that an instance has encrypted once more (W14): AES-GCM under a key that is derived from this master key. */
export function underLayer(uniqueIdentifier: string): KeyWrappingSpecification {
  return encryptedBy({ uniqueIdentifier, cryptographicParameters: PRIVATE_UNDER_PARENT });
}

/** A tenant's own data key under its master key. */
export function underMaster({ id, isPair }: { id: string; isPair: boolean }): KeyWrappingSpecification {
  const cryptographicParameters = isPair ? DATA_UNDER_PAIR : DATA_UNDER_MASTER;
  return encryptedBy({ uniqueIdentifier: id, cryptographicParameters });
}

/** The same of one that comes back: its length, for which its EDK vouches, says whether the master key is a pair. */
export function underMasterAs(id: string, { length }: Uint8Array): KeyWrappingSpecification {
  return underMaster({ id, isPair: length === PAIR_LENGTH });
}

/** `uniqueIdentifier` is the recipient's public key at the HSM, from the RA's registry and never from a request. */
export function toRecipient(uniqueIdentifier: string): KeyWrappingSpecification {
  return encryptedBy({ uniqueIdentifier, cryptographicParameters: TO_RECIPIENT });
}

/** The same of a hybrid recipient, by its ML-KEM key. */
export function toHybridRecipient(uniqueIdentifier: string): KeyWrappingSpecification {
  return encryptedBy({ uniqueIdentifier, cryptographicParameters: TO_HYBRID_RECIPIENT });
}

export function encryptedBy(
  encryptionKeyInformation: NonNullable<KeyWrappingSpecification["encryptionKeyInformation"]>,
): KeyWrappingSpecification {
  return { wrappingMethod: "Encrypt", encryptionKeyInformation, encodingOption: "NoEncoding" };
}

/** Get of this key, or of the one that the item before has made (KMIP 2.1, ID Placeholder). */
export function getWrapped(
  keyWrappingSpecification: KeyWrappingSpecification,
  uniqueIdentifier?: UniqueIdentifier,
): RequestItem {
  return {
    operation: "Get",
    payload: { ...(uniqueIdentifier && { uniqueIdentifier }), keyWrappingSpecification },
  };
}

/** The keys in the answers to Get, each wrapped by its parent, which is a pair or an AES key. */
export function wrappedKeys(answers: readonly ResponseItem[], byPair = false): Uint8Array<ArrayBuffer>[] {
  return answers
    .filter(({ operation }) => operation === "Get")
    .map((answer) => {
      const wrapped = keyValueOf(answer);
      if (wrapped.length !== (byPair ? PAIR_LENGTH : WRAPPED_LENGTH))
        throw new UnexpectedAnswer("the HSM returned no wrapped AES-256 key");
      return wrapped;
    });
}

/** The key in the answer to a Get, encrypted to a recipient, which is `hybrid` or not. */
export function recipientKeyOf(answer: ResponseItem | undefined, hybrid = false): Uint8Array<ArrayBuffer> {
  const encrypted = keyValueOf(answer);
  if (!(hybrid ? [HYBRID_LENGTH] : RSA_LENGTHS).includes(encrypted.length))
    throw new UnexpectedAnswer("the HSM returned no key that is encrypted to the recipient");
  return encrypted;
}

/** The wrapped key bytes in the answer to a Get. Throws when the key came unwrapped or not at all. */
export function keyValueOf(answer: ResponseItem | undefined): Uint8Array<ArrayBuffer> {
  return materialOf(wrappedBlock(answer));
}

export function wrappedBlock(answer: ResponseItem | undefined) {
  if (answer?.operation !== "Get" || !answer.payload) throw new UnexpectedAnswer("not an answer to Get");
  const { symmetricKey, privateKey } = answer.payload.object;
  const { keyWrappingData, keyValue } = (symmetricKey ?? privateKey)?.keyBlock ?? {};
  if (!keyWrappingData) throw new UnexpectedAnswer("the HSM returned a key that is not wrapped");
  return { keyWrappingData, keyValue };
}

/** No Encoding (KMIP 2.1 §11.18 Encoding Option): the Key Material alone is encrypted. It is the Key Value, or stands in one. */
export function materialOf({ keyValue }: Pick<KeyBlock, "keyValue">): Uint8Array<ArrayBuffer> {
  const wrapped = keyValue instanceof Uint8Array ? keyValue : keyValue?.keyMaterial;
  if (!(wrapped instanceof Uint8Array))
    throw new UnexpectedAnswer("the HSM returned a key that is not wrapped");
  return new Uint8Array(wrapped);
}
