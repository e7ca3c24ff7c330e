/** A data key that an instance has made (W10): whether the instance vouches for it, and whether the HSM can open it. */

import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { JwsError, verifyMadeKey } from "#protocol/keys/index.ts";
import { LADDER } from "../enrolled.ts";
import { importAccountKey, importWrapped, retire, runBatch } from "../hsm/keys/index.ts";
import type { DataKeyOrder } from "../iam/instance-keys.ts";
import type { AccountKey } from "../iam/types.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { Context } from "./context.ts";

/**
 * The digest of what was made, for which an instance of the one who orders it vouches; null where the HSM is to make it. That the
 * IAM passes it on proves nothing: whoever has the public half of an account key can wrap a key that he knows.
 */
export async function checkVouched(
  { neighbours, store }: Pick<Context, "neighbours" | "store">,
  { account, owner, client, custodian, accountKey, made }: Omit<DataKeyOrder, "tenant">,
): Promise<Decision<string | null>> {
  if (made === undefined) return ok(null);
  const { instance, key, statement, wrappedKey } = made;
  const found = await neighbours.RA.instance({ tenant: store.tenant, user: owner, instance });
  if (!found.ok) return refuse(found.problem.code, "the registration authority knows no such instance");
  const { status, level, identityKey } = found.value;
  if (status !== "active" || !LADDER.includes(level))
    return refuse("not-recipient", `instance is ${status}, at level ${level}`);
  if (found.value.custodian !== custodian || found.value.client !== client)
    return refuse("foreign-custodian", "instance serves another custodian");
  const of = { key, identityKey, instance, account, accountKey: accountKey.id, wrappedKey };
  try {
    await verifyMadeKey(statement, { ...of, now: seconds(Date.now()) });
    return ok(await digest(wrappedKey));
  } catch (error) {
    if (!(error instanceof JwsError)) throw error;
    return refuse("forbidden", `nobody vouches for the key: ${error.code}, ${error.message}`);
  }
}

/** Whether what an instance made is a key under that account key: the HSM unwraps it, and forgets it. Throws its refusal. */
export async function checkMade(
  { hsm, ledger }: Pick<Context, "hsm" | "ledger">,
  key: AccountKey,
  made: Uint8Array<ArrayBuffer>,
  now: number,
): Promise<void> {
  const [account, data] = [crypto.randomUUID(), crypto.randomUUID()];
  await runBatch(hsm, ledger, (name) => [
    ...importAccountKey(key, { id: account, name, now }),
    importWrapped({
      ...{ id: data, class: "data", wrapped: made, wrappedBy: account, byPair: key.publicKey !== null },
      ...{ name: name(), now },
    }),
    ...retire(data),
    ...retire(account),
  ]);
}
