/** What the KMS takes of an HSM that has data keys in it, and of which tenant. */

import { expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { type Assurance, named } from "#protocol/hierarchy/index.ts";
import type { Edk } from "#protocol/keys/index.ts";
import type { RequestItem } from "#protocol/kmip/index.ts";
import { kmipBackEnd } from "./kmip.ts";

const RSA = new Uint8Array(384).fill(7);
const ledger = { domain: "kms", begin() {}, end() {}, async clear() {}, async sweep() {} };

/** An HSM whose objects have these names, by identifier. */
function holding(objects: Record<string, string>, without: Assurance[] = ["sensitive", "account-keys"]) {
  const batch = async (items: RequestItem[]) =>
    items.map(({ operation, payload }) => {
      const { uniqueIdentifier = "" } = payload as { uniqueIdentifier?: string };
      const name = named(objects[uniqueIdentifier] ?? "none");
      const keyBlock = { keyValue: RSA, keyWrappingData: { wrappingMethod: "Encrypt" } };
      return {
        ...{ operation, resultStatus: "Success" },
        payload:
          operation === "Get"
            ? { uniqueIdentifier, objectType: "SymmetricKey", object: { symmetricKey: { keyBlock } } }
            : { uniqueIdentifier, attributes: { name } },
      };
    });
  return kmipBackEnd({
    hsm: { batch, together: { batch }, apart: { batch } } as never,
    ledger,
    tenant: "acme",
    without,
  });
}

const key = (keyId: string, id: string) => ({
  edk: { keyId, keyVersion: 1, wrapping: "resident" } as Edk,
  under: { master: "m" },
  wrappedDataKey: utf8(id),
});
const to = { hsmKey: "recipient" };

it("M19 releases a key that lives in the HSM under the name that it was made with", async () => {
  const backEnd = holding({ "1": "resident/a.1", "2": "resident/b.1" });
  expect(await backEnd.release([key("a", "1")], to as never)).toEqual([RSA]);
  expect(await backEnd.release([key("a", "1"), key("b", "2")], to as never)).toEqual([RSA, RSA]);
});

it("M19 releases no other key that an HSM has under the same identifier since", async () => {
  const backEnd = holding({ "1": "resident/of-another-tenant.1", "2": "resident/b.1" });
  const another = "the HSM has another key under this identifier";
  await expect(backEnd.release([key("a", "1")], to as never)).rejects.toThrow(another);
  await expect(backEnd.release([key("b", "2"), key("a", "1")], to as never)).rejects.toThrow(another);
  // Another version is another key.
  const later = { ...key("b", "2"), edk: { keyId: "b", keyVersion: 2, wrapping: "resident" } as Edk };
  await expect(backEnd.release([later], to as never)).rejects.toThrow(another);
});

it("M19 releases no key that lives in the HSM for a tenant that does not go without account-keys now", async () => {
  const backEnd = holding({ "1": "resident/a.1" }, ["sensitive"]);
  await expect(backEnd.release([key("a", "1")], to as never)).rejects.toMatchObject({
    name: "BackEndRefused",
  });
});
