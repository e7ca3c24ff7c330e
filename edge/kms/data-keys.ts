/** Data keys (M6): made in the HSM under the account key, one batch for all of a request. */

import { encodeBase64url } from "#protocol/base64url.ts";
import type { Edk } from "#protocol/keys/index.ts";
import { type Hsm, UnexpectedAnswer } from "../hsm/index.ts";
import {
  importAccountKey,
  type Ledger,
  makeUnder,
  retire,
  runBatch,
  type WrappedAccountKey,
  wrappedKeys,
} from "../hsm/keys/index.ts";

/**
 * Makes `count` AES-256 sized keys and returns each wrapped under the account key: 40 bytes, or 384 under a pair. The batch: Import the
 * account key; for each data key Create, Get wrapped and Destroy; Revoke and Destroy the account key.
 */
export async function makeDataKeys(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  key: WrappedAccountKey,
  count: number,
  now: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const account = crypto.randomUUID();
  const byPair = key.publicKey !== null;
  const answers = await runBatch(hsm, ledger, (name) => [
    importAccountKey(key, { id: account, name: name(), now }),
    ...Array.from({ length: count }, () =>
      makeUnder(account, { class: "data", name: name(), byPair }),
    ).flat(),
    ...retire(account),
  ]);
  const keys = wrappedKeys(answers, byPair);
  if (keys.length !== count || new Set(keys.map(encodeBase64url)).size !== count) {
    throw new UnexpectedAnswer("the HSM did not make the keys that were asked for");
  }
  return keys;
}

/** What the EDK says of how its data key stands under this account key. */
export function wrappingUnder({ publicKey }: Pick<WrappedAccountKey, "publicKey">): Edk["wrapping"] {
  return publicKey === null ? "A256KW" : "RSA-OAEP-256";
}
