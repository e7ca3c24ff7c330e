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
  underMaster,
} from "../../hsm/keys/index.ts";
import type { AccountKey } from "../../iam/types.ts";

/** What a data key is encrypted under: an account's key, or a master key (its identifier at the HSM). */
export type Under = AccountKey | { master: string; wrapped?: undefined };

/**
 * Import the account key and, under it, the data key; Get the data key wrapped to the recipient (RSA-OAEP of the raw 32
 * bytes); Revoke and Destroy both. A key of the tenant itself is imported under the master
 * key. Never a Decrypt: no key byte reaches the edge. `hsmKey` is the recipient's public key
 * at the HSM, from the RA's registry and never from a request.
 */
export async function rewrapDataKey(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  {
    under,
    wrappedDataKey: wrapped,
    hsmKey,
  }: { under: Under; wrappedDataKey: Uint8Array<ArrayBuffer>; hsmKey: string },
  now: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const account = crypto.randomUUID();
  const data = crypto.randomUUID();
  const answers = await runBatch(hsm, ledger, (name) => {
    const imported = { id: data, class: "data" as const, wrapped, now };
    const items = [getWrapped(toRecipient(hsmKey), data), ...retire(data)];
    if (under.wrapped === undefined) {
      const { master } = under;
      const by = underMaster(master);
      return [importWrapped({ ...imported, wrappedBy: master, by, name: name() }), ...items];
    }
    const byPair = under.publicKey !== null;
    return [
      importAccountKey(under, { id: account, name: name(), now }),
      importWrapped({ ...imported, wrappedBy: account, byPair, name: name() }),
      ...items,
      ...retire(account),
    ];
  });
  return recipientKeyOf(answers.find(({ operation }) => operation === "Get"));
}
