/**
 * Account keys, and what an RSA pair asks for (W1): made under a master key, brought back, and given out. The private half stands for
 * both: data keys are wrapped to the public one and unwrapped by it, and it is what the parent wraps, as PKCS#8 under AES-GCM; where the
 * parent is a pair itself, under a content-encryption key (CEK), which stands under the parent and before it.
 */

import { concat } from "#protocol/bytes.ts";
import {
  CEK_UNDER_PAIR,
  KEY,
  KEY_PAIR,
  POLICY,
  PRIVATE_UNDER_PARENT,
  policy,
  USAGE,
} from "#protocol/hierarchy/index.ts";
import type {
  Attributes,
  KeyWrappingSpecification,
  RequestItem,
  ResponseItem,
  UniqueIdentifier,
} from "#protocol/kmip/index.ts";
import { UnexpectedAnswer } from "../client.ts";
import type { NextName } from "./batch.ts";
import { type ImportedKey, importedAttributes, importWrapped } from "./key.ts";
import { encryptedBy, getWrapped, keyValueOf, materialOf, PAIR_LENGTH, wrappedBlock } from "./release.ts";
import { retire } from "./retire.ts";

type Name = ReturnType<NextName>;

/** What the IAM keeps of an account key, as far as the HSM needs it. `publicKey`: null for a symmetric one. */
export type WrappedAccountKey = {
  wrapped: Uint8Array<ArrayBuffer>;
  master: string;
  publicKey: Uint8Array<ArrayBuffer> | null;
};

/** A master key at the HSM, and whether it is a pair. */
export type Master = { id: string; isPair: boolean };

/** A private half of RSA-3072 under AES-GCM has some 1,820 bytes, and 384 more with the key that it is under. */
const LONGEST_PRIVATE = 2048;

/** Whether the master key that wraps it is a pair. Its length says so; the HSM opens nothing that is called what it is not. */
function isUnderPair({ wrapped, publicKey }: WrappedAccountKey): boolean {
  return publicKey === null ? wrapped.length === PAIR_LENGTH : wrapped.length > LONGEST_PRIVATE;
}

/** Of AES-GCM (NIST SP 800-38D). */
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;

/** How the private half of a pair stands under an AES key. */
export function privateUnderParent(uniqueIdentifier: UniqueIdentifier): KeyWrappingSpecification {
  return encryptedBy({ uniqueIdentifier, cryptographicParameters: PRIVATE_UNDER_PARENT });
}

/** How the CEK of a private half stands under a master key that is a pair. */
function cekUnder(uniqueIdentifier: UniqueIdentifier): KeyWrappingSpecification {
  return encryptedBy({ uniqueIdentifier, cryptographicParameters: CEK_UNDER_PAIR });
}

/**
 * A pair is made under a master key: its private half is given wrapped by it, its public one as it is, and both are
 * destroyed (KMIP 2.1, Unique Identifier: what Create Key Pair made is named so). `wrappedPair` reads the answers.
 */
export function makePairUnder(parent: Master, { name, now }: { name: NextName; now: number }): RequestItem[] {
  const privateHalf = { reference: "CreateKeyPairPrivateKey" } as const;
  const publicHalf = { reference: "CreateKeyPairPublicKey" } as const;
  return [
    {
      operation: "CreateKeyPair",
      payload: {
        commonAttributes: KEY_PAIR,
        privateKeyAttributes: {
          cryptographicUsageMask: [...USAGE.account],
          sensitive: true,
          name: name(),
          vendorAttributes: [policy(POLICY.parent, parent.id)],
        },
        publicKeyAttributes: { cryptographicUsageMask: ["WrapKey"], name: name() },
      },
    },
    ...getPrivateUnder(privateHalf, parent, { name, now }),
    { operation: "Destroy", payload: { uniqueIdentifier: privateHalf } },
    { operation: "Get", payload: { uniqueIdentifier: publicHalf, keyFormatType: "X_509" } },
    { operation: "Destroy", payload: { uniqueIdentifier: publicHalf } },
  ];
}

/** What the answers to `makePairUnder` give. */
export function wrappedPair(answers: readonly ResponseItem[]) {
  const got = answers.filter(({ operation }) => operation === "Get");
  return { wrapped: wrappedPrivate(got.slice(0, -1)), publicKey: publicHalf(got.at(-1)) };
}

/** As `importWrapped`, of a private half. `kind`: of pair. */
export function importPrivate(key: Omit<ImportedKey, "byPair">, kind: Attributes = KEY_PAIR): RequestItem {
  const { ivCounterNonce, keyMaterial } = partsOfPrivate(key.wrapped);
  const keyWrappingData = { ...privateUnderParent(key.wrappedBy), ivCounterNonce };
  const keyBlock = {
    keyFormatType: "PKCS_8" as const,
    keyValue: { keyMaterial },
    ...blockOf(kind),
    keyWrappingData,
  };
  return {
    operation: "Import",
    payload: {
      uniqueIdentifier: key.id,
      objectType: "PrivateKey",
      replaceExisting: false,
      keyWrapType: "NotWrapped",
      attributes: { ...kind, ...importedAttributes(key) },
      object: { privateKey: { keyBlock } },
    },
  };
}

/** What a key block says of its key; a curve is none of that. */
function blockOf({ cryptographicAlgorithm, cryptographicLength }: Attributes) {
  return {
    ...(cryptographicAlgorithm && { cryptographicAlgorithm }),
    ...(cryptographicLength && { cryptographicLength }),
  };
}

/** Import of an account key, of either kind, which its master key, of either kind, wraps. The CEK, where there is one, is gone again after it. */
export function importAccountKey(
  account: WrappedAccountKey,
  { id, name, now }: { id: string; name: NextName; now: number },
): RequestItem[] {
  const { wrapped, master, publicKey } = account;
  const byPair = isUnderPair(account);
  const key = { id, class: "account", wrapped, wrappedBy: master, now } as const;
  if (publicKey === null) return [importWrapped({ ...key, byPair, name: name() })];
  if (!byPair) return [importPrivate({ ...key, name: name() })];
  const cek = crypto.randomUUID();
  const [wrappedCek, privateHalf] = [wrapped.slice(0, PAIR_LENGTH), wrapped.slice(PAIR_LENGTH)];
  const under = {
    class: "master-cek",
    wrapped: wrappedCek,
    wrappedBy: master,
    by: cekUnder(master),
  } as const;
  return [
    importWrapped({ ...under, id: cek, name: name(), now }),
    importPrivate({ ...key, wrapped: privateHalf, wrappedBy: cek, name: name() }),
    ...retire(cek),
  ];
}

/** Get of a private half as this master key wraps it. `wrappedPrivate` reads the answers to Get. */
export function getPrivateUnder(
  id: UniqueIdentifier,
  master: Master,
  { name, now }: { name: NextName; now: number },
): RequestItem[] {
  if (!master.isPair) return [getPrivateWrapped(privateUnderParent(master.id), id)];
  return getPrivateByCek(id, { parent: master.id, by: cekUnder(master.id), name: name(), now });
}

/** Get of a private half as a symmetric key wraps it that is no master key. `underGcm` reads the answer. */
export function getPrivateUnderKey(id: UniqueIdentifier, key: string): RequestItem {
  return getPrivateWrapped(privateUnderParent(key), id);
}

/**
 * The private half for a recipient, or a master key, whose RSA key it is too long for: a content-encryption key (CEK) is made for this
 * one, and given to it, the private half under that key, and the CEK ends (KMIP 2.1, Unique Identifier: what Create made is named so).
 * `by`: how the CEK is wrapped. Answers 2 and 3 of five are those to Get.
 */
export function getPrivateByCek(
  id: UniqueIdentifier,
  to: { parent: string; by: KeyWrappingSpecification; name: Name; now: number },
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
          vendorAttributes: [policy(POLICY.parent, to.parent)],
        },
      },
    },
    getWrapped(to.by, cek),
    getPrivateWrapped(privateUnderParent(cek), id),
    ...retire(cek),
  ];
}

/** Get of the private half of a pair, as PKCS#8. */
function getPrivateWrapped(
  keyWrappingSpecification: KeyWrappingSpecification,
  uniqueIdentifier: UniqueIdentifier,
): RequestItem {
  return {
    operation: "Get",
    payload: { uniqueIdentifier, keyFormatType: "PKCS_8", keyWrappingSpecification },
  };
}

/** The private half in the answers to Get, as its master key wraps it; the CEK before it where that is a pair. */
export function wrappedPrivate(answers: readonly ResponseItem[]): Uint8Array<ArrayBuffer> {
  const [first, second, ...others] = answers.filter(({ operation }) => operation === "Get");
  if (others.length > 0) throw new UnexpectedAnswer("not what a private half is given in");
  return second ? concat(keyValueOf(first), underGcm(second)) : underGcm(first);
}

/** The private half in the answer to Get, wrapped by AES-GCM: nonce, ciphertext and tag in one. */
export function underGcm(answer: ResponseItem | undefined): Uint8Array<ArrayBuffer> {
  const block = wrappedBlock(answer);
  const nonce = block.keyWrappingData.ivCounterNonce;
  if (nonce?.length !== NONCE_LENGTH)
    throw new UnexpectedAnswer("the HSM returned no key wrapped by AES-GCM");
  return concat(nonce, materialOf(block));
}

/** The parts of what `underGcm` gives. Throws for what is too short to be one. */
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
