import { KEY, masterKeyName, POLICY, policy, UNDER_PARENT, USAGE } from "#protocol/hierarchy/index.ts";
import type { Hsm } from "../hsm/index.ts";
import type { AccountKey } from "./types.ts";

/** RFC 3394: 32 bytes of AES-256 become 40. */
const WRAPPED_BYTES = 40;

/** Unique identifier of the tenant's master key (class `master`) at the HSM; throws if the tenant has none (M5). */
export function masterKey(hsm: Pick<Hsm, "locate">, tenant: string): Promise<string> {
  return hsm.locate(masterKeyName(tenant));
}

/**
 * W11: has the HSM make an account key, gives it back encrypted under the master key and leaves nothing behind: one
 * batch of Create, Get, Revoke, Destroy over the ID Placeholder (KMIP 2.1). The key's bytes never leave the HSM
 * in clear. Throws unless every item succeeded.
 */
export async function createAccountKey(
  hsm: Hsm,
  master: string,
  activation: Date,
): Promise<Uint8Array<ArrayBuffer>> {
  const items = await hsm.batch(
    [
      {
        operation: "Create",
        payload: {
          objectType: "SymmetricKey",
          attributes: {
            ...KEY,
            cryptographicUsageMask: [...USAGE.account],
            activationDate: activation,
            vendorAttributes: [policy(POLICY.parent, master)],
          },
        },
      },
      {
        operation: "Get",
        payload: {
          keyWrappingSpecification: {
            wrappingMethod: "Encrypt",
            encryptionKeyInformation: {
              uniqueIdentifier: master,
              cryptographicParameters: UNDER_PARENT,
            },
            encodingOption: "NoEncoding",
          },
        },
      },
      {
        operation: "Revoke",
        payload: { revocationReason: { revocationReasonCode: "CessationOfOperation" } },
      },
      { operation: "Destroy", payload: {} },
    ],
    // A failed Get must not leave the key behind.
    { batchErrorContinuationOption: "Continue" },
  );
  const names = ["Create", "Get", "Revoke", "Destroy"];
  items.forEach((item, index) => {
    if (item.resultStatus !== "Success")
      throw new Error(`The HSM refused ${names[index]}: ${item.resultReason}`);
  });
  if (items.length !== names.length) throw new Error("The HSM answered another number of items");
  const get = items[1]!;
  const object =
    get.operation === "Get" && get.payload !== undefined && "object" in get.payload
      ? get.payload.object
      : undefined;
  const block = object?.symmetricKey?.keyBlock;
  // No Encoding (KMIP 2.1 §11.18 Encoding Option): the Key Material alone is encrypted. It is the Key Value, or stands in one.
  const wrapped = block?.keyValue instanceof Uint8Array ? block.keyValue : block?.keyValue?.keyMaterial;
  if (!block?.keyWrappingData || !(wrapped instanceof Uint8Array) || wrapped.length !== WRAPPED_BYTES) {
    throw new Error("The HSM gave an account key that is not wrapped");
  }
  return new Uint8Array(wrapped);
}

/** The account's current key, or null. */
export function currentAccountKey(sql: SqlStorage, account: string): AccountKey | null {
  const [row] = sql
    .exec<{ id: string; version: number; wrapped: ArrayBuffer; master: string }>(
      "SELECT id, version, wrapped, master FROM account_keys WHERE account = ? ORDER BY version DESC LIMIT 1",
      account,
    )
    .toArray();
  return row === undefined ? null : { ...row, wrapped: new Uint8Array(row.wrapped) };
}
