import { isTenantRole } from "#protocol/roles.ts";
import type { Caller } from "../../caller.ts";
import { fail, ok } from "../../result.ts";
import type { GatewayContext } from "../context.ts";
import type { ContractHandlers } from "../serve.ts";

/** Roles, groups and the policy of a tenant, instances of others and quotas, for its admins. */
export const administration = {
  async readStanding({ c, caller }) {
    const [found, own] = await Promise.all([c.env.IAM.signedIn(caller), c.env.IAM.accounts(caller)]);
    if (!found.ok) return found;
    return own.ok ? ok({ user: caller.user, ...found.value, accounts: own.value }) : own;
  },
  async listRoles({ c, caller }) {
    const found = await c.env.IAM.listRoles(caller);
    return found.ok ? ok({ roles: found.value }) : found;
  },
  grantRole: ({ c, caller, input: { role, user } }) => appointRole(c, caller, { role, user, holds: true }),
  withdrawRole: ({ c, caller, input: { role, user } }) =>
    appointRole(c, caller, { role, user, holds: false }),
  async listGroups({ c, caller }) {
    const found = await c.env.IAM.listGroups(caller);
    return found.ok ? ok({ groups: found.value }) : found;
  },
  listGroup: ({ c, caller, input: { group, cursor } }) => c.env.IAM.listGroup(caller, group, cursor),
  addToGroup: ({ c, caller, input: { group: value, user } }) =>
    c.env.IAM.appoint(caller, { kind: "group", value, user, holds: true }),
  removeFromGroup: ({ c, caller, input: { group: value, user } }) =>
    c.env.IAM.appoint(caller, { kind: "group", value, user, holds: false }),
  async listClients({ c, caller }) {
    const found = await c.env.IAM.listClients(caller);
    return found.ok ? ok({ clients: found.value }) : found;
  },
  registerClient: ({ c, caller, input: { client }, body }) => c.env.IAM.registerClient(caller, client, body),
  removeClient: ({ c, caller, input: { client } }) => c.env.IAM.removeClient(caller, client),
  async listUserInstances({ c, caller, input: { user } }) {
    const found = await c.env.RA.userInstances(caller, user);
    return found.ok ? ok({ instances: found.value }) : found;
  },
  revokeUserInstance: ({ c, caller, input: { user, id } }) => c.env.RA.revokeOfUser(caller, user, id),
  listUserKeys: ({ c, caller, input: { user, ...query } }) => c.env.KMS.keysOfUser(caller, user, query),
  describeUserKey: ({ c, caller, input: { user, key } }) => c.env.KMS.describeKeyOfUser(caller, user, key),
  changeUserKey: ({ c, caller, input: { user, key }, body }) =>
    c.env.KMS.changeKeyOfUser(caller, user, key, body),
  readQuota: ({ c, caller, input: { account } }) => c.env.DATASTORE.quota(caller, account),
  setQuota: ({ c, caller, input: { account }, body }) => c.env.DATASTORE.setQuota(caller, account, body),
  listPolicies: ({ c, caller }) => c.env.KMS.listPolicies(caller),
  putPolicy: ({ c, caller, body }) => c.env.KMS.putPolicy(caller, body),
} satisfies Partial<ContractHandlers>;

async function appointRole(
  c: GatewayContext,
  caller: Caller,
  { role: value, ...of }: { role: string; user: string; holds: boolean },
) {
  return isTenantRole(value)
    ? c.env.IAM.appoint(caller, { kind: "role", value, ...of })
    : fail("bad-request");
}
