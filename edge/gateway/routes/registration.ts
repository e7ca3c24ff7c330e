import { ok } from "../../result.ts";
import type { ContractHandlers } from "../serve.ts";
import { applicant } from "../session.ts";

/** The registration authority. */
export const registration = {
  issueGrant: ({ c, caller }) => c.env.RA.grant(caller),
  async listInstances({ c, caller }) {
    const found = await c.env.RA.instances(caller);
    return found.ok ? ok({ instances: found.value }) : found;
  },
  revokeInstance: ({ c, caller, input }) => c.env.RA.revoke(caller, input.id),
  async openEnrolment({ c }) {
    const by = await applicant(c);
    return c.env.RA.openEnrolment(by);
  },
  async redeemEnrolment({ c, input, body }) {
    const by = await applicant(c);
    return c.env.RA.redeemEnrolment(by, input.id, body);
  },
} satisfies Partial<ContractHandlers>;
