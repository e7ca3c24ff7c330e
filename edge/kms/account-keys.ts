/** Account keys (W11): made in the HSM under the tenant's master key, for the IAM, which keeps Enc(account). */

import type { AccountKeys } from "#protocol/hierarchy/index.ts";
import type { RequestItem, ResponseItem } from "#protocol/kmip/index.ts";
import { type AuthorizeRequest, authorize } from "../authorize.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import {
  getPrivateByCek,
  getPrivateUnder,
  getWrapped,
  importAccountKey,
  type Master,
  makePairUnder,
  makeUnder,
  type NextName,
  recipientKeyOf,
  retire,
  runBatch,
  toRecipient,
  underGcm,
  underPair,
  underParent,
  type WrappedAccountKey,
  wrappedKeys,
  wrappedPair,
  wrappedPrivate,
} from "../hsm/keys/index.ts";
import type { AccountKey } from "../iam/types.ts";
import { ok, type Result, refuse } from "../result.ts";
import { type Context, failedUnderMaster } from "./context.ts";
import { masterNamed, requireMasterKey, requireWorkingMasterKey } from "./master-key.ts";
import { checkLives } from "./shred.ts";

export type Ordered = Pick<AccountKey, "wrapped" | "publicKey" | "master">;
/** Enc(account) by AES Key Wrap, made by an instance at level `master`, and under which master key. */
export type MadeAccountKey = { wrapped: Uint8Array<ArrayBuffer>; master: string };
export type AccountKeyOrder = { requestId: string; kind: AccountKeys; made?: MadeAccountKey };
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
    if (of.made !== undefined) return await checkMadeKey(kms, of.made, about);
    const master = await requireWorkingMasterKey(hsm, store.tenant);
    const make = of.kind === "RSA-3072" ? makePair : makeSymmetric;
    return ok({ ...(await make(kms, await masterNamed(hsm, master))), master });
  } catch (error) {
    return failedUnderMaster(kms, "kms:make-account-key", about, error);
  }
}

/**
 * What an instance has made (W11): under the tenant's master key, and where the HSM has that, a key that it opens. Where it has not, the
 * instances alone can tell; AES Key Wrap lets nobody make one that opens who has not the master key.
 */
async function checkMadeKey(
  kms: Context,
  { wrapped, master }: MadeAccountKey,
  about: Omit<AuthorizeRequest, "action">,
): Promise<Result<Ordered>> {
  const { store, hsm } = kms;
  const current = await requireMasterKey(hsm, store.tenant, true);
  if (master !== current.key) {
    const other = () => refuse("conflict", "made under another master key");
    return authorize<never>(store, { ...about, action: "kms:made-account-key" }, other);
  }
  const key = { wrapped, master, publicKey: null };
  if (current.recovery === null) await checkOpens(kms, key);
  return ok(key);
}

/** Whether the HSM unwraps it. Throws its refusal. */
async function checkOpens({ hsm, ledger }: AtHsm, key: WrappedAccountKey): Promise<void> {
  const id = crypto.randomUUID();
  await runBatch(hsm, ledger, (name) => [
    ...importAccountKey(key, { id, name, now: Date.now() }),
    ...retire(id),
  ]);
}

/** Throws unless every item succeeded. */
async function makeSymmetric({ hsm, ledger }: AtHsm, { id, isPair: byPair }: Master) {
  const answers = await runBatch(hsm, ledger, (name) =>
    makeUnder(id, { class: "account", name: name(), byPair }),
  );
  const [wrapped] = wrappedKeys(answers, byPair);
  if (!wrapped) throw new UnexpectedAnswer("the HSM gave no account key");
  return { wrapped, publicKey: null };
}

/** The same. */
async function makePair({ hsm, ledger }: AtHsm, master: Master) {
  const now = Date.now();
  return wrappedPair(await runBatch(hsm, ledger, (name) => makePairUnder(master, { name, now })));
}

/** The key under another master key, which the HSM lets it go to. Throws what the HSM throws. */
export async function moveAccountKey(
  kms: AtHsm,
  key: WrappedAccountKey,
  master: Master,
): Promise<Uint8Array<ArrayBuffer>> {
  if (key.publicKey !== null)
    return wrappedPrivate(
      await withAccountKey(kms, key, (id, name, now) => getPrivateUnder(id, master, { name, now })),
    );
  const by = (master.isPair ? underPair : underParent)(master.id);
  const answers = await withAccountKey(kms, key, (id) => [getWrapped(by, id)]);
  const [wrapped] = wrappedKeys(answers, master.isPair);
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
  const by = toRecipient(recipient);
  const answers = await withAccountKey(kms, key, (id, name, now) =>
    key.publicKey === null
      ? [getWrapped(by, id)]
      : getPrivateByCek(id, { parent: recipient, by, name: name(), now }),
  );
  const [wrappedKey, privateKey] = answers;
  return { wrappedKey: recipientKeyOf(wrappedKey), ...(privateKey && { privateKey: underGcm(privateKey) }) };
}

/** Import of an account key, what is asked of it, Revoke and Destroy: the answers to Get. */
async function withAccountKey(
  { hsm, ledger }: AtHsm,
  key: WrappedAccountKey,
  ask: (id: string, name: NextName, now: number) => RequestItem[],
): Promise<ResponseItem[]> {
  const id = crypto.randomUUID();
  const now = Date.now();
  const answers = await runBatch(hsm, ledger, (name) => [
    ...importAccountKey(key, { id, name, now }),
    ...ask(id, name, now),
    ...retire(id),
  ]);
  return answers.filter(({ operation }) => operation === "Get");
}
