import { seconds } from "#protocol/clock.ts";
import { pathOf, REVOCATION_LISTS, readRevocationList } from "#protocol/contract/index.ts";
import type { Published } from "../../ra/types.ts";
import { ok } from "../../result.ts";
import { type GatewayContext, tenantOf } from "../context.ts";
import { unwrap } from "../problem.ts";
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
  openPasskey: ({ c, by: { session: _, ...by } }) => c.env.RA.openPasskey(by),
  registerPasskey: ({ c, by: { session: _, ...by }, body }) => c.env.RA.registerPasskey(by, body),
  async listPasskeys({ c, caller }) {
    const found = await c.env.RA.passkeys(caller);
    return found.ok ? ok({ passkeys: found.value }) : found;
  },
  removePasskey: ({ c, caller, input: { id } }) => c.env.RA.removePasskey(caller, id),
  async openEnrolment({ c, body: { principal } }) {
    const by = await applicant(c);
    return c.env.RA.openEnrolment(by, principal);
  },
  async redeemEnrolment({ c, input, body }) {
    const by = await applicant(c);
    return c.env.RA.redeemEnrolment(by, input.id, body);
  },
  async readRevocationList({ c, input }) {
    const of = { tenant: tenantOf(c), list: Number(input.list) };
    return answerList(c, unwrap(await c.env.RA.revocationList(of)));
  },
  async readFirstRevocationList({ c }) {
    return answerList(c, unwrap(await c.env.RA.revocationList({ tenant: tenantOf(c), list: null })));
  },
  async listRevocationLists({ c }) {
    const { origin } = c.var.site;
    const where = (_: unknown, list: number) => origin + pathOf(readRevocationList, { list: String(list) });
    return ok({ lists: Array.from({ length: REVOCATION_LISTS }, where) });
  },
  renewEnrolment({ c, body }) {
    const by = { tenant: tenantOf(c), user: null, origin: requireOwnOrigin(c), requestId: c.var.requestId };
    return c.env.RA.renew(by, body);
  },
} satisfies Partial<ContractHandlers>;

/** For anyone, at any origin. Caches keep it for a minute and no longer than it is good. */
function answerList(c: GatewayContext, { der, number, nextUpdate }: Published): Response {
  const age = Math.max(0, Math.min(60, nextUpdate - seconds(Date.now())));
  const headers = {
    "cache-control": `public, max-age=${age}`,
    "cross-origin-resource-policy": "cross-origin",
    etag: `"${number}"`,
    expires: new Date(nextUpdate * 1000).toUTCString(),
  };
  if (c.req.header("if-none-match") === headers.etag) return c.body(null, 304, headers);
  return c.body(der, 200, { ...headers, "content-type": readRevocationList.answer.type });
}
