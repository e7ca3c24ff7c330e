import { ok } from "../../result.ts";
import type { ContractHandlers } from "../serve.ts";

/** Who may act for an account. */
export const members = {
  async listAccounts({ c, caller }) {
    const found = await c.env.IAM.accounts(caller);
    return found.ok ? ok({ accounts: found.value }) : found;
  },
  async listMembers({ c, caller, input: { account } }) {
    const found = await c.env.IAM.members(caller, account);
    return found.ok ? ok({ members: found.value }) : found;
  },
  putMember: ({ c, caller, input: { account }, body }) => c.env.IAM.putMember(caller, account, body),
  removeMember: ({ c, caller, input: { account, user } }) => c.env.IAM.removeMember(caller, account, user),
} satisfies Partial<ContractHandlers>;
