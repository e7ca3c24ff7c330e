/** Data keys (M6): made in the HSM under the account key, one batch for all of a request. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { KEY, POLICY, policy, UNDER_PARENT, USAGE } from "#protocol/hierarchy/index.ts";
import type { RequestItem, ResponseItem } from "#protocol/kmip/index.ts";
import type { Hsm } from "../hsm/index.ts";
import type { AccountKey } from "../iam/types.ts";
import { type Batch, type BatchLedger, nameOf, runBatch } from "./batch.ts";
import { importWrapped, retire, transientId, WRAPPED_LENGTH } from "./key-block.ts";

/**
 * Makes `count` AES-256 sized keys and returns each wrapped under the account key, 40 bytes. The batch: Import the
 * account key; for each data key Create, Get wrapped and Destroy by ID placeholder; Revoke and Destroy the account key.
 */
export async function makeDataKeys(
  hsm: Hsm,
  ledger: BatchLedger,
  accountKey: AccountKey,
  count: number,
  now: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const account = transientId();
  const answers = await runBatch(hsm, ledger, count + 1, (batch) => [
    importWrapped({
      id: account,
      wrapped: accountKey.wrapped,
      wrappedBy: accountKey.master,
      usage: USAGE.account,
      name: nameOf(batch, 0),
      now,
    }),
    ...Array.from({ length: count }, (_, n) => dataKey(account, batch, n + 1)).flat(),
    ...retire(account),
  ]);
  const keys = answers.filter((answer) => answer.operation === "Get").map(wrappedValue);
  if (keys.length !== count || new Set(keys.map(encodeBase64url)).size !== count) {
    throw new Error("the HSM did not make the keys that were asked for");
  }
  return keys;
}

/** Three items; the last two act on what the first made (KMIP 2.1, ID Placeholder). */
function dataKey(account: string, batch: Batch, n: number): RequestItem[] {
  return [
    {
      operation: "Create",
      payload: {
        objectType: "SymmetricKey",
        attributes: {
          ...KEY,
          cryptographicUsageMask: [...USAGE.data],
          sensitive: true,
          name: nameOf(batch, n),
          vendorAttributes: [policy(POLICY.parent, account)],
        },
      },
    },
    {
      operation: "Get",
      payload: {
        keyWrappingSpecification: {
          wrappingMethod: "Encrypt",
          encryptionKeyInformation: {
            uniqueIdentifier: account,
            cryptographicParameters: UNDER_PARENT,
          },
          encodingOption: "NoEncoding",
        },
      },
    },
    { operation: "Destroy", payload: {} },
  ];
}

function wrappedValue(answer: ResponseItem): Uint8Array<ArrayBuffer> {
  const value = keyValueOf(answer);
  if (value.length !== WRAPPED_LENGTH) throw new Error("the HSM returned no wrapped AES-256 key");
  return value;
}

/** The wrapped key bytes in the answer to a Get. Throws when the key came unwrapped or not at all. */
export function keyValueOf(answer: ResponseItem): Uint8Array<ArrayBuffer> {
  if (answer.operation !== "Get" || !answer.payload) throw new Error("not an answer to Get");
  const { object } = answer.payload;
  const block = "symmetricKey" in object ? object.symmetricKey?.keyBlock : undefined;
  // No Encoding (KMIP 2.1 §11.18 Encoding Option): the Key Material alone is encrypted. It is the Key Value, or stands in one.
  const value = block?.keyValue;
  const wrapped = value instanceof Uint8Array ? value : value?.keyMaterial;
  if (!block?.keyWrappingData || !(wrapped instanceof Uint8Array)) {
    throw new Error("the HSM returned a key that is not wrapped");
  }
  return new Uint8Array(wrapped);
}
