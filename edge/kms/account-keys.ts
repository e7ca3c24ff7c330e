/** Account keys (W11): made in the HSM under the tenant's master key, for the IAM, which keeps Enc(account). */

import type { AccountKeys } from "#protocol/hierarchy/index.ts";
import type { KeyWrappingSpecification, ResponseItem } from "#protocol/kmip/index.ts";
import { authorize } from "../authorize.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import {
  getPrivateWrapped,
  getWrapped,
  importAccountKey,
  makePairUnder,
  makeUnder,
  privateUnderParent,
  publicHalf,
  recipientKeyOf,
  releasePrivate,
  retire,
  runBatch,
  toRecipient,
  underParent,
  type WrappedAccountKey,
  wrappedKeys,
  wrappedPrivate,
} from "../hsm/keys/index.ts";
import type { AccountKey } from "../iam/types.ts";
import { ok, type Result } from "../result.ts";
import { type Context, failed } from "./context.ts";
import { currentMasterKey } from "./master-key.ts";
import { checkLives } from "./shred.ts";

export type Ordered = Pick<AccountKey, "wrapped" | "publicKey" | "master">;
export type AccountKeyOrder = { requestId: string; kind: AccountKeys };
type AtHsm = Pick<Context, "hsm" | "ledger">;

/**
 * The IAM has said that the account lives, who asks, and what the tenant's account keys are. Nothing of the key is left at the HSM
 * or kept here: should the answer be lost, it is one that nobody has.
 */
export async function orderAccountKey(
  kms: Context,
  of: AccountKeyOrder & { account: string },
): Promise<Result<Ordered>> {
  const { store, hsm } = kms;
  const about = { caller: null, resource: `account/${of.account}`, requestId: of.requestId };
  const decision = authorize<null>(store, { action: "kms:account-key", ...about }, checkLives);
  if (!decision.ok) return decision;
  try {
    const master = await currentMasterKey(hsm, store.tenant);
    if (master === null) throw new UnexpectedAnswer("the tenant has no master key");
    const make = of.kind === "RSA-3072" ? makePair : makeSymmetric;
    return ok({ ...(await make(kms, master)), master });
  } catch (error) {
    return failed(kms, "kms:make-account-key", about, error);
  }
}

/** Throws unless every item succeeded. */
async function makeSymmetric({ hsm, ledger }: AtHsm, master: string) {
  const answers = await runBatch(hsm, ledger, (name) =>
    makeUnder(master, { class: "account", name: name() }),
  );
  const [wrapped] = wrappedKeys(answers);
  if (!wrapped) throw new UnexpectedAnswer("the HSM gave no account key");
  return { wrapped, publicKey: null };
}

/** The same. */
async function makePair({ hsm, ledger }: AtHsm, master: string) {
  const answers = await runBatch(hsm, ledger, (name) =>
    makePairUnder(master, { privateHalf: name(), publicHalf: name() }),
  );
  const [privateHalf, publicKey] = answers.filter(({ operation }) => operation === "Get");
  return { wrapped: wrappedPrivate(privateHalf), publicKey: publicHalf(publicKey) };
}

/** The key under another master key, which the HSM lets it go to. Throws what the HSM throws. */
export async function moveAccountKey(
  kms: AtHsm,
  key: WrappedAccountKey,
  master: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const isPair = key.publicKey !== null;
  const got = await rewrapAccountKey(kms, key, isPair ? privateUnderParent(master) : underParent(master));
  if (isPair) return wrappedPrivate(got);
  const [wrapped] = wrappedKeys(got === undefined ? [] : [got]);
  if (!wrapped) throw new UnexpectedAnswer("the HSM gave no account key");
  return wrapped;
}

/** Enc(account) for a recipient; of a pair `wrappedKey` is the key that `privateKey`, the private half, is encrypted under. */
export type ReleasedAccountKey = {
  wrappedKey: Uint8Array<ArrayBuffer>;
  privateKey?: Uint8Array<ArrayBuffer>;
};

/** `recipient` is the public key at the HSM, from the RA's registry. Throws what the HSM throws. */
export async function releaseToRecipient(
  kms: AtHsm,
  key: WrappedAccountKey,
  recipient: string,
): Promise<ReleasedAccountKey> {
  if (key.publicKey === null)
    return { wrappedKey: recipientKeyOf(await rewrapAccountKey(kms, key, toRecipient(recipient))) };
  const id = crypto.randomUUID();
  const now = Date.now();
  const [, , cek, privateHalf] = await runBatch(kms.hsm, kms.ledger, (name) => [
    importAccountKey(key, { id, name: name(), now }),
    ...releasePrivate(id, { recipient, name: name(), now }),
    ...retire(id),
  ]);
  return { wrappedKey: recipientKeyOf(cek), privateKey: wrappedPrivate(privateHalf) };
}

/** Import of an account key, Get of it wrapped as `by` says, Revoke and Destroy: the answer to Get. */
async function rewrapAccountKey(
  { hsm, ledger }: AtHsm,
  key: WrappedAccountKey,
  by: KeyWrappingSpecification,
): Promise<ResponseItem | undefined> {
  const id = crypto.randomUUID();
  const now = Date.now();
  const [, got] = await runBatch(hsm, ledger, (name) => [
    importAccountKey(key, { id, name: name(), now }),
    key.publicKey === null ? getWrapped(by, id) : getPrivateWrapped(by, id),
    ...retire(id),
  ]);
  return got;
}
