import type { ContractHandlers } from "../serve.ts";

/** The KMS. */
export const keys = {
  makeDataKeys: ({ c, caller, body }) => c.env.KMS.dataKeys(caller, body),
  loadKey: ({ c, caller, body }) => c.env.KMS.load(caller, body),
  orderExport: ({ c, caller, body }) => c.env.KMS.orderExport(caller, body),
} satisfies Partial<ContractHandlers>;
