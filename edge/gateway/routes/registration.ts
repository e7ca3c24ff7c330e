import { ok } from "../../result.ts";
import type { ContractHandlers } from "../serve.ts";

/** The registration authority. */
export const registration = {
  issueGrant: ({ c, caller }) => c.env.RA.grant(caller),
  async listInstances({ c, caller }) {
    const found = await c.env.RA.instances(caller);
    return found.ok ? ok({ instances: found.value }) : found;
  },
  revokeInstance: ({ c, caller, input }) => c.env.RA.revoke(caller, input.id),
  openEnrolment: ({ c, by: { session: _, ...by } }) => c.env.RA.openEnrolment(by),
  redeemEnrolment: ({ c, by: { session: _, ...by }, input, body }) =>
    c.env.RA.redeemEnrolment(by, input.id, body),
} satisfies Partial<ContractHandlers>;
