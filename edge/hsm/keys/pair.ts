/**
 * Account keys that are RSA pairs (W1): made under an AES key, brought back, and given out. The private half stands for both: data
 * keys are wrapped to the public one and unwrapped by it, and it is what the parent wraps, as PKCS#8 under AES-GCM.
 */

import { concat } from "#protocol/bytes.ts";
import { KEY, KEY_PAIR, POLICY, PRIVATE_UNDER_PARENT, policy, USAGE } from "#protocol/hierarchy/index.ts";
import type {
  KeyWrappingSpecification,
  RequestItem,
  ResponseItem,
  UniqueIdentifier,
} from "#protocol/kmip/index.ts";
import { UnexpectedAnswer } from "../client.ts";
import type { NextName } from "./batch.ts";
import { type ImportedKey, importedAttributes, importWrapped } from "./key.ts";
import { encryptedBy, getWrapped, materialOf, toRecipient, wrappedBlock } from "./release.ts";
import { retire } from "./retire.ts";

type Name = ReturnType<NextName>;

/** What the IAM keeps of an account key, as far as the HSM needs it. `publicKey`: null for a symmetric one. */
export type WrappedAccountKey = {
  wrapped: Uint8Array<ArrayBuffer>;
  master: string;
  publicKey: Uint8Array<ArrayBuffer> | null;
};

/** Of AES-GCM (NIST SP 800-38D). */
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;

/** How the private half of a pair stands under an AES key. */
export function privateUnderParent(uniqueIdentifier: UniqueIdentifier): KeyWrappingSpecification {
  return encryptedBy({ uniqueIdentifier, cryptographicParameters: PRIVATE_UNDER_PARENT });
}

/**
 * A pair is made under an AES parent: its private half is given wrapped by it, its public one as it is, and both are
 * destroyed. The public half is found by its name, and acted on as the private one is (KMIP 2.1, ID Placeholder).
 */
export function makePairUnder(parent: string, names: { privateHalf: Name; publicHalf: Name }) {
  return [
    {
      operation: "CreateKeyPair",
      payload: {
        commonAttributes: KEY_PAIR,
        privateKeyAttributes: {
          cryptographicUsageMask: [...USAGE.account],
          sensitive: true,
          name: names.privateHalf,
          vendorAttributes: [policy(POLICY.parent, parent)],
        },
        publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"], name: names.publicHalf },
      },
    },
    getPrivateWrapped(privateUnderParent(parent)),
    { operation: "Destroy", payload: {} },
    { operation: "Locate", payload: { attributes: { name: names.publicHalf } } },
    { operation: "Get", payload: { keyFormatType: "X_509" } },
    { operation: "Destroy", payload: {} },
  ] satisfies RequestItem[];
}

/** As `importWrapped`, of a private half. */
function importPrivate(key: Omit<ImportedKey, "byPair">): RequestItem {
  const { ivCounterNonce, keyMaterial } = partsOfPrivate(key.wrapped);
  const keyWrappingData = { ...privateUnderParent(key.wrappedBy), ivCounterNonce };
  const keyBlock = {
    keyFormatType: "PKCS_8" as const,
    keyValue: { keyMaterial },
    ...KEY_PAIR,
    keyWrappingData,
  };
  return {
    operation: "Import",
    payload: {
      uniqueIdentifier: key.id,
      objectType: "PrivateKey",
      replaceExisting: false,
      keyWrapType: "NotWrapped",
      attributes: { ...KEY_PAIR, ...importedAttributes(key) },
      object: { privateKey: { keyBlock } },
    },
  };
}

/** Import of an account key, of either kind, which its master key wraps. */
export function importAccountKey(
  { wrapped, master, publicKey }: WrappedAccountKey,
  of: Pick<ImportedKey, "id" | "name" | "now">,
): RequestItem {
  const key = { ...of, class: "account", wrapped, wrappedBy: master } as const;
  return publicKey === null ? importWrapped(key) : importPrivate(key);
}

/**
 * The private half for a recipient, for which it is too long: a content-encryption key (CEK) is made for this recipient and given to
 * it, the private half under that key, and both end (KMIP 2.1, ID Placeholder: what Create made is named so). Answers 2 and 3
 * of five are those to Get.
 */
export function releasePrivate(
  id: string,
  to: { recipient: string; name: Name; now: number },
): RequestItem[] {
  const cek = { reference: "Create" } as const;
  return [
    {
      operation: "Create",
      payload: {
        objectType: "SymmetricKey",
        attributes: {
          ...KEY,
          ...importedAttributes({ class: "cek", name: to.name, now: to.now }),
          vendorAttributes: [policy(POLICY.parent, to.recipient)],
        },
      },
    },
    getWrapped(toRecipient(to.recipient), cek),
    getPrivateWrapped(privateUnderParent(cek), id),
    ...retire(cek),
  ];
}

/** Get of the private half of a pair, as PKCS#8; of what the item before has made where none is named. */
export function getPrivateWrapped(
  keyWrappingSpecification: KeyWrappingSpecification,
  uniqueIdentifier?: string,
): RequestItem {
  return {
    operation: "Get",
    payload: {
      ...(uniqueIdentifier && { uniqueIdentifier }),
      keyFormatType: "PKCS_8",
      keyWrappingSpecification,
    },
  };
}

/** The private half in the answer to Get, wrapped by AES-GCM: nonce, ciphertext and tag in one. */
export function wrappedPrivate(answer: ResponseItem | undefined): Uint8Array<ArrayBuffer> {
  const block = wrappedBlock(answer);
  const nonce = block.keyWrappingData.ivCounterNonce;
  if (nonce?.length !== NONCE_LENGTH)
    throw new UnexpectedAnswer("the HSM returned no key wrapped by AES-GCM");
  return concat(nonce, materialOf(block));
}

/** The parts of what `wrappedPrivate` gives. Throws for what is too short to be one. */
function partsOfPrivate(wrapped: Uint8Array<ArrayBuffer>) {
  if (wrapped.length <= NONCE_LENGTH + TAG_LENGTH) throw new TypeError("not a wrapped private key");
  return { ivCounterNonce: wrapped.slice(0, NONCE_LENGTH), keyMaterial: wrapped.slice(NONCE_LENGTH) };
}

/** The public half in the answer to Get: SubjectPublicKeyInfo, DER. */
export function publicHalf(answer: ResponseItem | undefined): Uint8Array<ArrayBuffer> {
  if (answer?.operation !== "Get" || !answer.payload) throw new UnexpectedAnswer("not an answer to Get");
  const value = answer.payload.object.publicKey?.keyBlock.keyValue;
  const material = value instanceof Uint8Array ? undefined : value?.keyMaterial;
  if (!(material instanceof Uint8Array)) throw new UnexpectedAnswer("the HSM returned no public key");
  return new Uint8Array(material);
}
