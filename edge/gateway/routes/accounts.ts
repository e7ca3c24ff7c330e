import type { ContractHandlers } from "../serve.ts";

/** Accounts of the user who is signed in: the IAM. */
export const accounts = {
  createAccount: ({ c, caller, body }) => c.env.IAM.createAccount(caller, body),
} satisfies Partial<ContractHandlers>;
