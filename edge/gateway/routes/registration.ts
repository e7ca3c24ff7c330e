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
  issueSecretZero: ({ c, caller, body }) => c.env.RA.secretZero(caller, body),
  openAttestation: ({ c, caller, body }) => c.env.RA.attestation(caller, body),
  async openEnrolment({ c, body: { principal } }) {
    const by = await applicant(c);
    return c.env.RA.openEnrolment(by, principal);
  },
  async redeemEnrolment({ c, input, body }) {
    const by = await applicant(c);
    return c.env.RA.redeemEnrolment(by, input.id, body);
  },
} satisfies Partial<ContractHandlers>;
