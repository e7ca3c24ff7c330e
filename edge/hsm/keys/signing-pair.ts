/**
 * Key pairs that sign for an account (M17), made under its key: the private half leaves under a key of its own, and that under the
 * account key, as a data key would.
 */

import { KEY, POLICY, policy, SIGNATURE_KEYS, type SignatureKey } from "#protocol/hierarchy/index.ts";
import type { RequestItem, ResponseItem } from "#protocol/kmip/index.ts";
import { UnexpectedAnswer } from "../client.ts";
import type { NextName } from "./batch.ts";
import { importWrapped, pastAt } from "./key.ts";
import {
  importAccountKey,
  importPrivate,
  privateUnderParent,
  publicHalf,
  underGcm,
  type WrappedAccountKey,
} from "./pair.ts";
import { getWrapped, keyValueOf, underPair, underParent } from "./release.ts";
import { retire } from "./retire.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** `wrapped`: the key that the private half is under, as the account key wraps it. `privateKey`: PKCS#8 under AES-GCM. `publicKey`: SPKI. */
export type WrappedSigningPair = { wrapped: Bytes; privateKey: Bytes; publicKey: Bytes };

/** `signingPair` reads the answers. */
export function makeSigningPair(
  account: WrappedAccountKey,
  { kind, name, now }: { kind: SignatureKey; name: NextName; now: number },
): RequestItem[] {
  const id = crypto.randomUUID();
  const key = { reference: "Create" } as const;
  const privateHalf = { reference: "CreateKeyPairPrivateKey" } as const;
  const publicHalf = { reference: "CreateKeyPairPublicKey" } as const;
  const below = { sensitive: true, vendorAttributes: [policy(POLICY.parent, id)] };
  return [
    ...importAccountKey(account, { id, name, now }),
    {
      operation: "Create",
      payload: {
        objectType: "SymmetricKey",
        attributes: {
          ...KEY,
          ...below,
          cryptographicUsageMask: ["WrapKey"],
          ...pastAt(now),
          name: name(),
        },
      },
    },
    getWrapped((account.publicKey === null ? underParent : underPair)(id), key),
    {
      operation: "CreateKeyPair",
      payload: {
        commonAttributes: { ...SIGNATURE_KEYS[kind].key },
        privateKeyAttributes: { ...below, cryptographicUsageMask: ["Sign"], name: name() },
        publicKeyAttributes: { cryptographicUsageMask: ["Verify"], name: name() },
      },
    },
    {
      operation: "Get",
      payload: {
        uniqueIdentifier: privateHalf,
        keyFormatType: "PKCS_8",
        keyWrappingSpecification: privateUnderParent(key),
      },
    },
    { operation: "Destroy", payload: { uniqueIdentifier: privateHalf } },
    { operation: "Get", payload: { uniqueIdentifier: publicHalf, keyFormatType: "X_509" } },
    { operation: "Destroy", payload: { uniqueIdentifier: publicHalf } },
    ...retire(key),
    ...retire(id),
  ];
}

/** A private half that comes back to sign, under the key that comes back for it; `id`: its own. */
export function importSigningPair(
  account: WrappedAccountKey,
  { wrapped, privateKey }: Omit<WrappedSigningPair, "publicKey">,
  { id, kind, name, now }: { id: string; kind: SignatureKey; name: NextName; now: number },
): { before: RequestItem[]; after: RequestItem[] } {
  const [accountKey, key] = [crypto.randomUUID(), crypto.randomUUID()];
  const byPair = account.publicKey !== null;
  return {
    before: [
      ...importAccountKey(account, { id: accountKey, name, now }),
      importWrapped({ id: key, class: "signing", wrapped, wrappedBy: accountKey, byPair, name: name(), now }),
      importPrivate(
        { id, class: "signature", wrapped: privateKey, wrappedBy: key, name: name(), now },
        SIGNATURE_KEYS[kind].key,
      ),
      ...retire(key),
    ],
    after: [...retire(id), ...retire(accountKey)],
  };
}

/** What the answers to `makeSigningPair` give. */
export function signingPair(answers: readonly ResponseItem[]): WrappedSigningPair {
  const [key, privateHalf, spki, ...others] = answers.filter(({ operation }) => operation === "Get");
  if (others.length > 0) throw new UnexpectedAnswer("not what a signing pair is given in");
  return { wrapped: keyValueOf(key), privateKey: underGcm(privateHalf), publicKey: publicHalf(spki) };
}
