import { fail } from "../../result.ts";
import type { ContractHandlers } from "../serve.ts";
import { instanceToken } from "./instance-token.ts";

/** What instances ask for themselves. The KMS and the IAM learn to answer one after the other; until then each is refused. */
export const instances = {
  instanceToken,
  loadMasterKey: ({ c, caller, body }) => c.env.KMS.masterKey(caller, body),
  loadAccountKey: async () => fail("forbidden"),
  findKeyIdentifier: async () => fail("forbidden"),
  readAccountKey: async () => fail("forbidden"),
  rotateAccountKey: async () => fail("forbidden"),
  listDataKeys: async () => fail("forbidden"),
  readDataKey: async () => fail("forbidden"),
  renewDataKey: async () => fail("forbidden"),
  deleteDataKey: async () => fail("forbidden"),
} satisfies Partial<ContractHandlers>;
