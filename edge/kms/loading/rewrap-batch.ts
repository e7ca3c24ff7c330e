/** Rewrap (M8): one batch that turns Enc(data key) under the account key into Enc(data key) under a recipient's key. */

import type { Hsm } from "../../hsm/index.ts";
import {
  getWrapped,
  importAccountKey,
  importWrapped,
  type Ledger,
  recipientKeyOf,
  retire,
  runBatch,
  toRecipient,
  type WrappedAccountKey,
} from "../../hsm/keys/index.ts";

/**
 * Import the account key and, under it, the data key; Get the data key wrapped to the recipient (RSA-OAEP of the raw 32
 * bytes); Revoke and Destroy both. Never a Decrypt: no key byte reaches the edge. `hsmKey` is the recipient's public key
 * at the HSM, from the RA's registry and never from a request.
 */
export async function rewrapDataKey(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  keys: { account: WrappedAccountKey; wrappedDataKey: Uint8Array<ArrayBuffer>; hsmKey: string },
  now: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const account = crypto.randomUUID();
  const data = crypto.randomUUID();
  const answers = await runBatch(hsm, ledger, (name) => [
    importAccountKey(keys.account, { id: account, name: name(), now }),
    importWrapped({
      ...{ id: data, class: "data", wrapped: keys.wrappedDataKey, wrappedBy: account },
      ...{ byPair: keys.account.publicKey !== null, name: name(), now },
    }),
    getWrapped(toRecipient(keys.hsmKey), data),
    ...retire(data),
    ...retire(account),
  ]);
  return recipientKeyOf(answers[2]);
}
