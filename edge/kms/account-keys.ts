/** Account keys (W11): made in the HSM under the tenant's master key, for the IAM, which keeps Enc(account). */

import type { KeyWrappingSpecification, ResponseItem } from "#protocol/kmip/index.ts";
import { authorize } from "../authorize.ts";
import { UnexpectedAnswer } from "../hsm/index.ts";
import { getWrapped, importWrapped, makeUnder, retire, runBatch, wrappedKeys } from "../hsm/keys/index.ts";
import type { AccountKey } from "../iam/types.ts";
import { ok, type Result } from "../result.ts";
import { type Context, failed } from "./context.ts";
import { currentMasterKey } from "./master-key.ts";
import { checkLives } from "./shred.ts";

export type Ordered = Pick<AccountKey, "wrapped" | "master">;

/**
 * The IAM has said that the account lives and who asks. Nothing of the key is left at the HSM or kept here: should the answer be
 * lost, it is one that nobody has.
 */
export async function orderAccountKey(
  kms: Context,
  of: { account: string; requestId: string },
): Promise<Result<Ordered>> {
  const { store, hsm } = kms;
  const about = { caller: null, resource: `account/${of.account}`, requestId: of.requestId };
  const decision = authorize<null>(store, { action: "kms:account-key", ...about }, checkLives);
  if (!decision.ok) return decision;
  try {
    const master = await currentMasterKey(hsm, store.tenant);
    if (master === null) throw new UnexpectedAnswer("the tenant has no master key");
    return ok({ wrapped: await makeAccountKey(kms, master), master });
  } catch (error) {
    return failed(kms, "kms:make-account-key", about, error);
  }
}

/** Throws unless every item succeeded. */
async function makeAccountKey(
  { hsm, ledger }: Pick<Context, "hsm" | "ledger">,
  master: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const answers = await runBatch(hsm, ledger, (name) =>
    makeUnder(master, { class: "account", name: name() }),
  );
  const [wrapped] = wrappedKeys(answers);
  if (!wrapped) throw new UnexpectedAnswer("the HSM gave no account key");
  return wrapped;
}

/** Import of an account key, Get of it wrapped as `by` says, Revoke and Destroy: the answer to Get. */
export async function rewrapAccountKey(
  { hsm, ledger }: Pick<Context, "hsm" | "ledger">,
  { wrapped, master }: Ordered,
  by: KeyWrappingSpecification,
): Promise<ResponseItem | undefined> {
  const id = crypto.randomUUID();
  const now = Date.now();
  const [, got] = await runBatch(hsm, ledger, (name) => [
    importWrapped({ id, class: "account", wrapped, wrappedBy: master, name: name(), now }),
    getWrapped(by, id),
    ...retire(id),
  ]);
  return got;
}
