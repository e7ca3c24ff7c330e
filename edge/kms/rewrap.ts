/** Rewrap (M8): one batch that turns Enc(data key) under the account key into Enc(data key) under a recipient's key. */

import { TO_RECIPIENT, USAGE } from "#protocol/hierarchy/index.ts";
import type { Hsm } from "../hsm/index.ts";
import type { AccountKey } from "../iam/types.ts";
import { type BatchLedger, nameOf, runBatch } from "./batch.ts";
import { keyValueOf } from "./data-keys.ts";
import { importWrapped, retire, transientId } from "./key-block.ts";

/** RSA-3072 and RSA-4096 ciphertexts. */
const LENGTHS = [384, 512];

/**
 * Import the account key and, under it, the data key; Get the data key wrapped to the recipient (RSA-OAEP, SHA-256 and
 * MGF1 with SHA-256, of the raw 32 bytes); Revoke and Destroy both. Never a Decrypt: no key byte reaches the edge.
 * `hsmKey` is the recipient's public key at the HSM, from the RA's registry and never from a request.
 */
export async function rewrapDataKey(
  hsm: Hsm,
  ledger: BatchLedger,
  keys: { account: AccountKey; wrappedDataKey: Uint8Array<ArrayBuffer>; hsmKey: string },
  now: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const account = transientId();
  const data = transientId();
  const answers = await runBatch(hsm, ledger, 2, (batch) => [
    importWrapped({
      id: account,
      wrapped: keys.account.wrapped,
      wrappedBy: keys.account.master,
      usage: USAGE.account,
      name: nameOf(batch, 0),
      now,
    }),
    importWrapped({
      id: data,
      wrapped: keys.wrappedDataKey,
      wrappedBy: account,
      usage: USAGE.data,
      name: nameOf(batch, 1),
      now,
    }),
    {
      operation: "Get",
      payload: {
        uniqueIdentifier: data,
        keyWrappingSpecification: {
          wrappingMethod: "Encrypt",
          encryptionKeyInformation: {
            uniqueIdentifier: keys.hsmKey,
            cryptographicParameters: TO_RECIPIENT,
          },
          encodingOption: "NoEncoding",
        },
      },
    },
    ...retire(data),
    ...retire(account),
  ]);
  const wrapped = keyValueOf(answers[2]!);
  if (!LENGTHS.includes(wrapped.length)) throw new Error("the HSM returned no RSA ciphertext");
  return wrapped;
}
