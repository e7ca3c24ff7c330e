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
  openEnrolment: async ({ c }) => c.env.RA.openEnrolment(await applicant(c)),
  redeemEnrolment: async ({ c, input, body }) => c.env.RA.redeemEnrolment(await applicant(c), input.id, body),
} satisfies Partial<ContractHandlers>;
