/** What an admin of the tenant does: roles and groups, instances of others, quotas of accounts. An admin opens no documents by it. */

import {
  type AccountQuota,
  type AnswerOf,
  addToGroup,
  changeUserKey,
  grantRole,
  listClients,
  listGroup,
  listGroups,
  listPolicies,
  listRoles,
  listUserInstances,
  listUserKeys,
  putPolicy,
  type RegisteredClient,
  readQuota,
  readStanding,
  registerClient,
  removeClient,
  removeFromGroup,
  revokeUserInstance,
  type SetQuota,
  setQuota,
  type UserKeys,
  type UserKeysQuery,
  withdrawRole,
} from "#protocol/contract/index.ts";
import type { EcPublicJwk } from "#protocol/jwk.ts";
import type { TenantRole } from "#protocol/roles.ts";
import { callEmpty, callJson } from "./call.ts";
import type { RestClient } from "./rest.ts";
import { Rotation } from "./rotation.ts";

export type Standing = AnswerOf<typeof readStanding>;
export type RoleHolder = AnswerOf<typeof listRoles>["roles"][number];
export type Group = AnswerOf<typeof listGroups>["groups"][number];
export type { AccountQuota };
export type UserKey = UserKeys["keys"][number];
export type UserInstance = AnswerOf<typeof listUserInstances>["instances"][number];
export type GroupMember = AnswerOf<typeof listGroup>["members"][number];

/** Users are named by their ids. Errors: `forbidden` for who is no admin, and those of every request. */
export class Administration {
  readonly #rest: RestClient;
  /** The move of account keys under a new master key (W12), which the officer has made at the HSM. */
  readonly rotation: Rotation;

  constructor(rest: RestClient) {
    this.#rest = rest;
    this.rotation = new Rotation(rest);
  }

  /** What the caller is to the tenant. For everybody. */
  standing(): Promise<Standing> {
    return callJson(this.#rest, readStanding, {}, {});
  }

  async roles(): Promise<RoleHolder[]> {
    return (await callJson(this.#rest, listRoles, {}, {})).roles;
  }

  /** Errors: `quota-exceeded`. */
  grantRole(role: TenantRole, user: string): Promise<void> {
    return callEmpty(this.#rest, grantRole, { role, user }, {});
  }

  withdrawRole(role: TenantRole, user: string): Promise<void> {
    return callEmpty(this.#rest, withdrawRole, { role, user }, {});
  }

  async groups(): Promise<Group[]> {
    return (await callJson(this.#rest, listGroups, {}, {})).groups;
  }

  /** All members of a group by administration, in the order of their ids. */
  async *group(group: string): AsyncGenerator<GroupMember> {
    let cursor: string | undefined;
    do {
      const page = await callJson(this.#rest, listGroup, { group, ...(cursor && { cursor }) }, {});
      for (const member of page.members) yield member;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  /** Errors: `quota-exceeded`. */
  addToGroup(group: string, user: string): Promise<void> {
    return callEmpty(this.#rest, addToGroup, { group, user }, {});
  }

  /** The tenant's policy of statements, and who has put its versions. */
  policy(): Promise<AnswerOf<typeof listPolicies>> {
    return callJson(this.#rest, listPolicies, {}, {});
  }

  /** In the place of `version`, the newest that was seen; null for none. Holds within ten seconds. Errors: `conflict`, `bad-request`. */
  async putPolicy(version: number, policy: string | null): Promise<number> {
    return (await callJson(this.#rest, putPolicy, {}, { version, policy })).version;
  }

  removeFromGroup(group: string, user: string): Promise<void> {
    return callEmpty(this.#rest, removeFromGroup, { group, user }, {});
  }

  /** A user's instances in all apps, the newest first. */
  async userInstances(user: string): Promise<UserInstance[]> {
    return (await callJson(this.#rest, listUserInstances, { user }, {})).instances;
  }

  /** No key is released to it any more; the user's others go on. Errors: `not-found`. */
  revokeUserInstance(user: string, id: string): Promise<void> {
    return callEmpty(this.#rest, revokeUserInstance, { user, id }, {});
  }

  /** Keys of the tenant itself that a user has ordered in all apps, by pages: those after the last one of the page before. */
  userKeys(user: string, query: UserKeysQuery = {}): Promise<UserKeys> {
    return callJson(this.#rest, listUserKeys, { user, ...query }, undefined);
  }

  /**
   * `ends`: when it is deleted, seconds since 1970, at least a day ahead; null calls it off. It is given to nobody from now on, and the user cannot call
   * that off. Errors: `not-found`, `conflict`.
   */
  async endUserKey(user: string, key: string, ends: number | null): Promise<void> {
    await callJson(this.#rest, changeUserKey, { user, key }, { ends }, { tries: 3 });
  }

  /** What an account uses and may use; sizes in bytes of ciphertext. Errors: `not-found`. */
  quota(account: string): Promise<AccountQuota> {
    return callJson(this.#rest, readQuota, { account }, {});
  }

  /** What it may use; what is left out is as the deployment has it. Errors: `not-found`, `quota-exceeded` for more than that. */
  setQuota(account: string, quota: SetQuota): Promise<void> {
    return callEmpty(this.#rest, setQuota, { account }, quota);
  }

  /** Application servers that are clients of their own. */
  async clients(): Promise<RegisteredClient[]> {
    return (await callJson(this.#rest, listClients, {}, {})).clients;
  }

  /**
   * Registers one by its public key, for the app of this id or origin, the first by default; answers its id as a user. With `change`, signed by the key
   * before, the client of that name goes on by this one; without, another key is another client in its place. Errors: `not-found` for no such app,
   * `forbidden` for a change that is not signed so, `quota-exceeded`.
   */
  async registerClient(
    client: string,
    jwk: EcPublicJwk,
    { app, change }: { app?: string | undefined; change?: string | undefined } = {},
  ): Promise<string> {
    const order = { jwk, ...(app !== undefined && { app }), ...(change !== undefined && { change }) };
    return (await callJson(this.#rest, registerClient, { client }, order)).id;
  }

  /** Its tokens and instances end. Errors: `not-found`. */
  removeClient(client: string): Promise<void> {
    return callEmpty(this.#rest, removeClient, { client }, {});
  }
}
