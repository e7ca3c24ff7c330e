/** Data keys (M6): made in the HSM under the account key, one batch for all of a request. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { type Hsm, UnexpectedAnswer } from "../hsm/index.ts";
import { importWrapped, type Ledger, makeUnder, retire, runBatch, wrappedKeys } from "../hsm/keys/index.ts";
import type { AccountKey } from "../iam/types.ts";

/**
 * Makes `count` AES-256 sized keys and returns each wrapped under the account key, 40 bytes. The batch: Import the
 * account key; for each data key Create, Get wrapped and Destroy; Revoke and Destroy the account key.
 */
export async function makeDataKeys(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  { wrapped, master }: AccountKey,
  count: number,
  now: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const account = crypto.randomUUID();
  const answers = await runBatch(hsm, ledger, (name) => [
    importWrapped({ id: account, class: "account", wrapped, wrappedBy: master, name: name(), now }),
    ...Array.from({ length: count }, () => makeUnder(account, { class: "data", name: name() })).flat(),
    ...retire(account),
  ]);
  const keys = wrappedKeys(answers);
  if (keys.length !== count || new Set(keys.map(encodeBase64url)).size !== count) {
    throw new UnexpectedAnswer("the HSM did not make the keys that were asked for");
  }
  return keys;
}
