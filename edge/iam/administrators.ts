/** Admins of a tenant, whose sign-in lives, ask its object; whom the deployment's setting names is one whatever that has. */

import type { ClientRegistration } from "#protocol/contract/index.ts";
import { thumbprint } from "#protocol/keys/index.ts";
import { clientPrincipal } from "#protocol/principal.ts";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";
import type { Accounts } from "./accounts.ts";
import type { Addresses } from "./addresses.ts";
import { findClient } from "./clients.ts";
import { isNamedAdmin } from "./named-admin.ts";
import { isPublicKey } from "./public-key.ts";
import type { ClientRow } from "./registered-clients.ts";
import { type Appointing, type GroupMemberRow, type GroupRow, PAGE, type RoleRow } from "./roles.ts";

/** Who asks. `named`: by the deployment's setting. `page`: by the shipped page's client. */
export type Administrator = { caller: Caller; named: boolean; page: boolean };

/** The doors of administration. */
export class Administrators {
  readonly #at: Addresses;
  readonly #accounts: Accounts;

  constructor(at: Addresses, accounts: Accounts) {
    this.#at = at;
    this.#accounts = accounts;
  }

  /** For a neighbour, which has something of the tenant's that admins change: whether the caller is one. Errors: `forbidden`. */
  administrator(caller: Caller, resource: string): Promise<Result<null>> {
    return this.#asked(caller, (by) => this.#at.object(caller.tenant).administrator(by, resource));
  }

  /** The same about an account, which opens nothing of it. Errors: `forbidden`, `not-found` where the tenant has none of this id. */
  async administratorOf(caller: Caller, account: string): Promise<Result<null>> {
    const admin = await this.administrator(caller, `account/${account}`);
    if (!admin.ok) return admin;
    return (await this.#at.account(caller.tenant, account).isFounded()) ? admin : fail("not-found");
  }

  /** Errors: `forbidden`, `quota-exceeded`. */
  appoint(caller: Caller, change: Appointing): Promise<Result<null>> {
    return this.#asked(caller, (by) => this.#at.object(caller.tenant).appoint(by, change));
  }

  listRoles(caller: Caller): Promise<Result<RoleRow[]>> {
    return this.#asked(caller, (by) => this.#at.object(caller.tenant).roles(by));
  }

  listGroups(caller: Caller): Promise<Result<GroupRow[]>> {
    return this.#asked(caller, (by) => this.#at.object(caller.tenant).groups(by));
  }

  async listGroup(
    caller: Caller,
    name: string,
    cursor = "",
  ): Promise<Result<{ members: GroupMemberRow[]; cursor?: string }>> {
    const found = await this.#asked(caller, (by) => this.#at.object(caller.tenant).group(by, name, cursor));
    if (!found.ok) return found;
    const members = found.value;
    const last = members.at(-1);
    return ok({ members, ...(members.length === PAGE && last && { cursor: last.user }) });
  }

  /** Errors: `forbidden`, `bad-request` for what is no key, `not-found` for an app that is none of the tenant's, `quota-exceeded`. */
  async registerClient(
    caller: Caller,
    name: string,
    { jwk, app, change }: ClientRegistration,
  ): Promise<Result<{ id: string }>> {
    const tenant = this.#at.tenant(caller.tenant);
    const found = app === undefined ? tenant.apps[0] : findClient(tenant, app);
    if (found === undefined) return fail("not-found");
    if (!(await isPublicKey(jwk))) return fail("bad-request");
    // Of its own, unless the name turns out to be one that goes on.
    const id = await clientPrincipal({ tenant: tenant.name, name, nonce: crypto.randomUUID() });
    const client = { name, id, app: found.id, jwk, key: await thumbprint(jwk) };
    const signed = change === undefined ? null : { change, audience: tenant.vault };
    return this.#asked(caller, (by) => this.#at.object(caller.tenant).registerClient(by, client, signed));
  }

  /** Errors: `forbidden`, `not-found`. */
  removeClient(caller: Caller, name: string): Promise<Result<null>> {
    return this.#asked(caller, (by) => this.#at.object(caller.tenant).removeClient(by, name));
  }

  listClients(caller: Caller): Promise<Result<ClientRow[]>> {
    return this.#asked(caller, (by) => this.#at.object(caller.tenant).clients(by));
  }

  async #asked<T>(caller: Caller, ask: (by: Administrator) => Promise<Result<T>>): Promise<Result<T>> {
    const tenant = this.#at.tenant(caller.tenant);
    const signedIn = await this.#accounts.kept(caller);
    if (!signedIn.ok) return fail(signedIn.problem.code);
    const named = await isNamedAdmin(tenant, caller.user, signedIn.value.admin);
    return ask({ caller, named, page: caller.client === tenant.apps[0]?.id });
  }
}
