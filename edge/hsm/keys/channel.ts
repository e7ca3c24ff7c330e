/**
 * A channel to an instance (M7), in one batch: the instance's share comes in, an agreement key is made, a key is derived by
 * agreement and HKDF and encrypts, and all of it goes again. What it encrypts is wrapped to the instance already.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, decodeHex } from "#protocol/bytes.ts";
import { AGREEMENT, KEY } from "#protocol/hierarchy/index.ts";
import type { RequestItem, ResponseItem, UniqueIdentifier } from "#protocol/kmip/index.ts";
import { type Hsm, UnexpectedAnswer } from "../client.ts";
import { type NextName, runBatch } from "./batch.ts";
import { type At, pastAt } from "./key.ts";
import type { Ledger } from "./ledger.ts";
import { retire } from "./retire.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** SubjectPublicKeyInfo of an X25519 key (RFC 8410 §4) up to its 32 bytes. */
const SPKI = decodeHex("302a300506032b656e032100");

/** What passes over a channel. `share`: the HSM's, raw; `sealed`: ciphertext and tag of AES-256-GCM. All base64url. */
export type Sealed = { share: string; nonce: string; sealed: string };

/**
 * `share`: the instance's, raw, base64url; `now` in milliseconds. `agreed`: what was agreed on with it already, which stays; an agreement
 * key is made otherwise. Throws unless every item succeeded.
 */
export async function sealOverChannel(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  { share, info, data, agreed }: { share: string; info: Bytes; data: Bytes; agreed?: Agreement },
  now: number,
): Promise<Sealed> {
  const peer = crypto.randomUUID();
  const at = pastAt(now);
  const answers = await runBatch(hsm, ledger, (name) => {
    const channel = name();
    const sealing: RequestItem[] = [
      expand(info, "Encrypt", channel, at, agreed?.id),
      {
        operation: "Encrypt",
        payload: {
          uniqueIdentifier: { reference: "DeriveKey" },
          cryptographicParameters: { blockCipherMode: "GCM", tagLength: 16 },
          data,
        },
      },
      ...retireNamed(channel),
    ];
    if (agreed) return sealing;
    const names = { peer: name(), agreed: name(), private: name(), public: name() };
    return [
      importShare(peer, share, names.peer),
      ...makeAgreement(names, at),
      agree({ reference: "CreateKeyPairPrivateKey" }, peer, names.agreed, at),
      ...sealing,
      ...retireNamed(names.agreed),
      ...retireNamed(names.private),
      ...retireNamed(names.public),
      ...retire(peer).slice(1),
    ];
  });
  return { share: agreed?.share ?? shareOf(answers), ...sealedOf(answers) };
}

export type Name = ReturnType<NextName>;
/** An agreement key at the HSM, or what was agreed on by it: its identifier, and the HSM's share, raw, base64url. */
export type Agreement = { id: string; share: string };

/** Two items: an agreement key, and its public half. The HSM says when it ends, and that it agrees once. */
export function makeAgreement(names: { private: Name; public: Name }, at: At): RequestItem[] {
  return [
    {
      operation: "CreateKeyPair",
      payload: {
        commonAttributes: { ...AGREEMENT, ...at },
        privateKeyAttributes: { cryptographicUsageMask: ["DeriveKey"], name: names.private },
        publicKeyAttributes: { cryptographicUsageMask: ["KeyAgreement"], name: names.public },
      },
    },
    {
      operation: "Get",
      payload: { uniqueIdentifier: { reference: "CreateKeyPairPublicKey" }, keyFormatType: "X_509" },
    },
  ];
}

/** What the two ends agree on. */
export function agree(agreement: UniqueIdentifier, peer: string, name: Name, at: At): RequestItem {
  return {
    operation: "DeriveKey",
    payload: {
      objectType: "SecretData",
      uniqueIdentifier: [agreement, peer],
      derivationMethod: "AsymmetricKey",
      derivationParameters: {},
      attributes: { cryptographicUsageMask: ["DeriveKey"], name, ...at },
    },
  };
}

/** Of that, which the item before has made unless it is named, the key of one of the two directions. */
export function expand(
  info: Bytes,
  use: "Encrypt" | "UnwrapKey",
  name: Name,
  at: At,
  agreed: UniqueIdentifier = { reference: "DeriveKey" },
): RequestItem {
  return {
    operation: "DeriveKey",
    payload: {
      objectType: "SymmetricKey",
      uniqueIdentifier: [agreed],
      derivationMethod: "HKDF",
      derivationParameters: {
        cryptographicParameters: { hashingAlgorithm: "SHA_256" },
        derivationData: info,
      },
      attributes: { ...KEY, cryptographicUsageMask: [use], name, ...at },
    },
  };
}

export function importShare(uniqueIdentifier: string, share: string, name: Name): RequestItem {
  const keyMaterial = concat(SPKI, decodeBase64url(share));
  return {
    operation: "Import",
    payload: {
      uniqueIdentifier,
      objectType: "PublicKey",
      attributes: { ...AGREEMENT, cryptographicUsageMask: ["KeyAgreement"], name },
      object: { publicKey: { keyBlock: { keyFormatType: "X_509", keyValue: { keyMaterial } } } },
    },
  };
}

/** What two derivations make has one name between them in KMIP 2.1 (Unique Identifier): the first is found by its own. */
export function retireNamed(name: Name): RequestItem[] {
  return [
    { operation: "Locate", payload: { attributes: { name } } },
    { operation: "Revoke", payload: { revocationReason: { revocationReasonCode: "CessationOfOperation" } } },
    { operation: "Destroy", payload: {} },
  ];
}

/** The share in the answer to Get, raw, base64url. */
export function shareOf(answers: readonly ResponseItem[]): string {
  const got = answers.find(({ operation }) => operation === "Get");
  if (got?.operation !== "Get") throw new UnexpectedAnswer("the HSM made no channel");
  const value = got.payload?.object.publicKey?.keyBlock.keyValue;
  const spki = value instanceof Uint8Array ? undefined : value?.keyMaterial;
  if (!(spki instanceof Uint8Array) || spki.length !== SPKI.length + 32)
    throw new UnexpectedAnswer("the HSM's share is none");
  return encodeBase64url(spki.subarray(SPKI.length));
}

function sealedOf(answers: readonly ResponseItem[]): Omit<Sealed, "share"> {
  const encrypted = answers.find(({ operation }) => operation === "Encrypt");
  if (encrypted?.operation !== "Encrypt") throw new UnexpectedAnswer("the HSM made no channel");
  const { data, ivCounterNonce: nonce, authenticatedEncryptionTag: tag } = encrypted.payload ?? {};
  if (!data || nonce?.length !== 12 || tag?.length !== 16)
    throw new UnexpectedAnswer("the HSM encrypted nothing");
  return { nonce: encodeBase64url(nonce), sealed: encodeBase64url(concat(data, tag)) };
}
