/**
 * Data keys from a seed (M9) at the HSM: an agreement key that lives between two requests, and one batch in which the seed comes in sealed,
 * salt and key are made of it, data keys leave wrapped to the recipient, and all of it goes again.
 */

import { KEY, named, transientName } from "#protocol/hierarchy/index.ts";
import { KmipError, type RequestItem } from "#protocol/kmip/index.ts";
import { SEED_ROUNDS, seedKeyInfo } from "#protocol/seed.ts";
import { type Hsm, UnexpectedAnswer } from "../client.ts";
import { runBatch } from "./batch.ts";
import {
  type Agreement,
  agree,
  expand,
  importShare,
  makeAgreement,
  type Name,
  retireNamed,
  shareOf,
} from "./channel.ts";
import { type At, pastAt } from "./key.ts";
import type { Ledger } from "./ledger.ts";
import { getWrapped, recipientKeyOf, toRecipient } from "./release.ts";
import { retire } from "./retire.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const SHA_256 = { cryptographicParameters: { hashingAlgorithm: "SHA_256" } } as const;
const DERIVES = { cryptographicUsageMask: ["DeriveKey" as const] };
/** What stays between the two requests under one entry in the ledger: an agreement key's halves, and what was agreed on by it. */
const KEPT = 3;

/**
 * `batch`: the entry in the ledger under which it stays there until `endAgreement`, or until the alarm clears it a minute later. `now` in
 * milliseconds.
 */
export async function openAgreement(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  now: number,
): Promise<Agreement & { batch: string }> {
  const batch = `${ledger.domain}/${crypto.randomUUID()}`;
  const entry = { id: batch, objects: KEPT };
  ledger.begin(entry);
  try {
    const names = { private: named(transientName(batch, 0)), public: named(transientName(batch, 1)) };
    const answers = await hsm.batch(makeAgreement(names, pastAt(now)), {
      batchErrorContinuationOption: "Stop",
      batchOrderOption: true,
    });
    for (const { resultStatus, resultReason, operation } of answers)
      if (resultStatus !== "Success")
        throw new KmipError(resultReason ?? "GeneralFailure", undefined, operation);
    const [made] = answers;
    if (made?.operation !== "CreateKeyPair" || !made.payload)
      throw new UnexpectedAnswer("the HSM made no channel");
    return { batch, id: made.payload.privateKeyUniqueIdentifier, share: shareOf(answers) };
  } catch (error) {
    await ledger.clear(entry);
    throw error;
  }
}

/** It goes, whatever became of it. */
export function endAgreement(ledger: Ledger, batch: string): Promise<void> {
  return ledger.clear({ id: batch, objects: KEPT });
}

export type FromSeed = {
  agreement: Agreement;
  /** Its entry in the ledger: what is agreed on stays under it too, for the way back. */
  batch: string;
  /** The instance's share; what the key that opens the seed is bound to; nonce and ciphertext with the tag. */
  share: string;
  info: Bytes;
  nonce: Bytes;
  sealed: Bytes;
  /** Identifier of the tenant's HMAC key. */
  hmac: string;
  labels: readonly string[];
  /** The recipient's public key at the HSM, from the RA's registry. */
  hsmKey: string;
};

/**
 * A data key for each label, wrapped to the recipient, in their order; and what was agreed on, which seals the answer: an agreement key agrees
 * once. `now` in milliseconds. Throws unless every item succeeded.
 */
export async function deriveFromSeed(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  { agreement, batch, share, info, nonce, sealed, hmac, labels, hsmKey }: FromSeed,
  now: number,
): Promise<{ wrapped: Bytes[]; agreed: Agreement }> {
  const [peer, seed] = [crypto.randomUUID(), crypto.randomUUID()];
  const at = pastAt(now);
  const answers = await runBatch(hsm, ledger, (name) => {
    const names = {
      peer: name(),
      opens: name(),
      seed: name(),
      salt: name(),
      stretched: name(),
    };
    return [
      importShare(peer, share, names.peer),
      agree(agreement.id, peer, named(transientName(batch, KEPT - 1)), at),
      expand(info, "UnwrapKey", names.opens, at),
      importSeed(seed, { nonce, sealed }, names.seed, at),
      step("HMAC", [hmac, seed], names.salt, at),
      step("PBKDF2", [seed, { reference: "DeriveKey" }], names.stretched, at),
      ...labels.flatMap((label) => release(label, names.stretched, name(), hsmKey)),
      ...retireNamed(names.stretched),
      ...retireNamed(names.salt),
      ...retire(seed),
      ...retireNamed(names.opens),
      ...retire(peer).slice(1),
    ];
  });
  const wrapped = answers
    .filter(({ operation }) => operation === "Get")
    .map((answer) => recipientKeyOf(answer));
  const agreed = answers.find(({ operation }) => operation === "DeriveKey");
  if (agreed?.operation !== "DeriveKey" || !agreed.payload)
    throw new UnexpectedAnswer("the HSM agreed on nothing");
  return { wrapped, agreed: { id: agreed.payload.uniqueIdentifier, share: agreement.share } };
}

/** Under the key that the item before has made. */
function importSeed(
  uniqueIdentifier: string,
  { nonce, sealed }: Pick<FromSeed, "nonce" | "sealed">,
  name: Name,
  at: At,
): RequestItem {
  return {
    operation: "Import",
    payload: {
      uniqueIdentifier,
      objectType: "SecretData",
      keyWrapType: "NotWrapped",
      attributes: { ...DERIVES, name, ...at },
      object: {
        secretData: {
          secretDataType: "Seed",
          keyBlock: {
            keyFormatType: "Opaque",
            keyValue: { keyMaterial: sealed },
            keyWrappingData: {
              wrappingMethod: "Encrypt",
              encryptionKeyInformation: {
                uniqueIdentifier: { reference: "DeriveKey" },
                cryptographicParameters: { blockCipherMode: "GCM" },
              },
              ivCounterNonce: nonce,
              encodingOption: "NoEncoding",
            },
          },
        },
      },
    },
  };
}

/** The salt, of HMAC key and seed; or what data keys come from, of seed and salt. The second is an object, and nowhere in the request. */
function step(
  derivationMethod: "HMAC" | "PBKDF2",
  uniqueIdentifier: [string, string | { reference: "DeriveKey" }],
  name: Name,
  at: At,
): RequestItem {
  const rounds = derivationMethod === "PBKDF2" ? { iterationCount: SEED_ROUNDS } : {};
  return {
    operation: "DeriveKey",
    payload: {
      objectType: "SecretData",
      uniqueIdentifier,
      derivationMethod,
      derivationParameters: { ...SHA_256, ...rounds },
      attributes: { ...DERIVES, name, ...at },
    },
  };
}

/** It never works at the HSM, so it is not activated. */
function release(label: string, from: Name, name: Name, hsmKey: string): RequestItem[] {
  return [
    { operation: "Locate", payload: { attributes: { name: from } } },
    {
      operation: "DeriveKey",
      payload: {
        objectType: "SymmetricKey",
        uniqueIdentifier: [{ reference: "IDPlaceholder" }],
        derivationMethod: "HKDF",
        derivationParameters: { ...SHA_256, derivationData: seedKeyInfo(label) },
        attributes: { ...KEY, ...DERIVES, name },
      },
    },
    getWrapped(toRecipient(hsmKey)),
    { operation: "Destroy", payload: {} },
  ];
}
