import { ok } from "../../result.ts";
import { tenantOf } from "../context.ts";
import type { ContractHandlers } from "../serve.ts";
import { applicant, requireOwnOrigin } from "../session.ts";

/** The registration authority. */
export const registration = {
  issueGrant: ({ c, caller }) => c.env.RA.grant(caller),
  async listInstances({ c, caller }) {
    const found = await c.env.RA.instances(caller);
    return found.ok ? ok({ instances: found.value }) : found;
  },
  nameInstance: ({ c, caller, input, body }) => c.env.IAM.nameInstance(caller, input.id, body),
  async revokeInstance({ c, caller, input: { id } }) {
    const unnamed = await c.env.IAM.unnameInstance(caller, id);
    return unnamed.ok ? c.env.RA.revoke(caller, id) : unnamed;
  },
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
  renewEnrolment({ c, body }) {
    const by = { tenant: tenantOf(c), user: null, origin: requireOwnOrigin(c), requestId: c.var.requestId };
    return c.env.RA.renew(by, body);
  },
} satisfies Partial<ContractHandlers>;
