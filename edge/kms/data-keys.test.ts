import { expect, it } from "vitest";
import type { RequestItem } from "#protocol/kmip/index.ts";
import type { Hsm } from "../hsm/index.ts";
import { makeDataKeys } from "./data-keys.ts";

const LEDGER = { domain: "kms", begin() {}, end() {}, clear: async () => {}, sweep: async () => {} };

it("M6 refuses a key that comes unwrapped", async () => {
  const plain = {
    batch: async (items: RequestItem[]) =>
      items.map((item) => ({
        operation: item.operation,
        resultStatus: "Success",
        payload: {
          uniqueIdentifier: [],
          object: { symmetricKey: { keyBlock: { keyValue: { keyMaterial: new Uint8Array(32) } } } },
        },
      })),
  } as unknown as Hsm;
  const key = { id: "k", version: 1, wrapped: new Uint8Array(40), publicKey: null, master: "m" };
  await expect(makeDataKeys(plain, LEDGER, key, 1, 0)).rejects.toThrow(/not wrapped/);
});
