import { WorkerEntrypoint } from "cloudflare:workers";
import type { ClientTokens, InstanceNaming, Tokens } from "#protocol/contract/index.ts";
import type { Caller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import { fromHsm, openHsm } from "../hsm/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { principalOf } from "../secret.ts";
import { tokenKey } from "./access-token.ts";
import { Accounts } from "./accounts.ts";
import { Addresses } from "./addresses.ts";
import { Administrators } from "./administrators.ts";
import type { Arguments } from "./arguments.ts";
import { AuditReaders } from "./audit-readers.ts";
import { Authorization } from "./authorization.ts";
import { type ClientTokenRequest, subjectOfAssertion } from "./client-tokens.ts";
import { readIdentity } from "./identity-certificate.ts";
import type { InstanceTokenRequest, InstanceTokens } from "./instance-token.ts";
import { userOfCustodian } from "./name.ts";
import { refuseUnknown, type TokenRequest } from "./tokens.ts";
import type { TokenKey } from "./types.ts";
import { VaultSessions } from "./vault-sessions.ts";

type OfInstance = { tenant: string; user: string; instance: string };

/** What the door needs of its neighbours. */
interface Neighbours {
  RA: {
    instance(of: OfInstance): Promise<Result<Enrolled>>;
    used(of: OfInstance): Promise<Result<null>>;
  };
}

/**
 * The IAM's door for the gateway. The gateway says which tenant's a request is, by its host. What it shows says whose it is, and so which object
 * is asked, which decides.
 */
export class Iam extends WorkerEntrypoint<Env> {
  readonly #at = new Addresses(this.env);
  readonly #accounts = new Accounts(this.#at);
  readonly #administrators = new Administrators(this.#at, this.#accounts);
  readonly #auditReaders = new AuditReaders(this.#at, this.#accounts);
  readonly #sessions = new VaultSessions(this.#at);
  readonly #authorization = new Authorization(this.#at, this.#sessions);

  authorize(...given: Arguments<Authorization, "authorize">) {
    return this.#authorization.authorize(...given);
  }

  approve(...given: Arguments<Authorization, "approve">) {
    return this.#authorization.approve(...given);
  }

  identify(...given: Arguments<Authorization, "identify">) {
    return this.#authorization.identify(...given);
  }

  signIn(...given: Arguments<Authorization, "signIn">) {
    return this.#authorization.signIn(...given);
  }

  loggedOut(...given: Arguments<VaultSessions, "loggedOut">) {
    return this.#sessions.loggedOut(...given);
  }

  signOut(...given: Arguments<VaultSessions, "signOut">) {
    return this.#sessions.signOut(...given);
  }

  account(...given: Arguments<VaultSessions, "account">) {
    return this.#sessions.account(...given);
  }

  leave(...given: Arguments<VaultSessions, "leave">) {
    return this.#sessions.leave(...given);
  }

  session(...given: Arguments<VaultSessions, "session">) {
    return this.#sessions.session(...given);
  }

  /** The gateway has verified the DPoP proof. */
  async token({ tenant, ...request }: TokenRequest & { tenant: string }): Promise<Result<Tokens>> {
    const { grant } = request;
    const principal = principalOf(grant.type === "refresh_token" ? grant.token : grant.code);
    if (principal === null) return refuseUnknown(this.#at.tenant(tenant), request);
    const settings = await this.#at.settings(tenant);
    return this.#at.principal(tenant, principal).token(principal, request, settings);
  }

  /** W9: tokens for an application server. The gateway has verified the DPoP proof; whose the assertion is, the client's object sees. */
  async clientToken({
    tenant,
    client,
    ...request
  }: ClientTokenRequest & { tenant: string; client?: string }): Promise<Result<ClientTokens>> {
    const principal = subjectOfAssertion(request.assertion);
    if (principal === null || (client ?? principal) !== principal) return fail("invalid-client");
    const settings = await this.#at.settings(tenant);
    return this.#at.principal(tenant, principal).clientToken(principal, request, settings);
  }

  /** W9: a token for an instance. The gateway has verified proof and assertion, both by the key that it brings. */
  async instanceToken({
    tenant,
    ...request
  }: InstanceTokenRequest & { tenant: string }): Promise<Result<InstanceTokens>> {
    const user = userOfCustodian(request.custodian);
    if (user === null) return fail("invalid-client");
    const RA: Neighbours["RA"] = this.env.RA_FOR_IAM;
    const [found, settings] = await Promise.all([
      RA.instance({ tenant, user, instance: request.instance }),
      this.#at.settings(tenant),
    ]);
    const issued = await this.#at.principal(tenant, user).instanceToken(request, found, settings);
    // Not before its key is proven: anybody can name an instance.
    if (issued.ok) this.ctx.waitUntil(RA.used({ tenant, user, instance: request.instance }));
    return issued;
  }

  /** `PUT /iam/instances/{id}`. Errors: `invalid-certificate` for what is none of a P-256 key. */
  async nameInstance(caller: Caller, id: string, { certificate }: InstanceNaming): Promise<Result<null>> {
    const read = await readIdentity(certificate).catch(() => null);
    if (read === null) return fail("invalid-certificate");
    const settings = await this.#at.settings(caller.tenant);
    return this.#at.principal(caller.tenant, caller.user).nameInstance(caller, { id, ...read }, settings);
  }

  /** `DELETE /ra/instances/{id}`, before the registration authority is asked. */
  async unnameInstance(caller: Caller, id: string): Promise<Result<null>> {
    const settings = await this.#at.settings(caller.tenant);
    return this.#at.principal(caller.tenant, caller.user).unnameInstance(caller, id, settings);
  }

  /** Keys that verify access tokens: the deployment's, whichever tenant asks. No object is asked. */
  async keys(_: { tenant: string }): Promise<Result<TokenKey[]>> {
    const hsm = openHsm(this.env.HSM_IAM, this.env.COFFER_HSM_URL_IAM || this.env.COFFER_HSM_URL);
    return fromHsm("keys", async () => ok([await tokenKey(hsm)]));
  }

  signedIn(...given: Arguments<Accounts, "signedIn">) {
    return this.#accounts.signedIn(...given);
  }

  keyIdentifier(...given: Arguments<Accounts, "keyIdentifier">) {
    return this.#accounts.keyIdentifier(...given);
  }

  encryptedAccountKey(...given: Arguments<Accounts, "encryptedAccountKey">) {
    return this.#accounts.encryptedAccountKey(...given);
  }

  rotateAccountKey(...given: Arguments<Accounts, "rotateAccountKey">) {
    return this.#accounts.rotateAccountKey(...given);
  }

  keepAccountKey(...given: Arguments<Accounts, "keepAccountKey">) {
    return this.#accounts.keepAccountKey(...given);
  }

  renewDataKey(...given: Arguments<Accounts, "renewDataKey">) {
    return this.#accounts.renewDataKey(...given);
  }

  deleteDataKey(...given: Arguments<Accounts, "deleteDataKey">) {
    return this.#accounts.deleteDataKey(...given);
  }

  readAudit(...given: Arguments<AuditReaders, "read">) {
    return this.#auditReaders.read(...given);
  }

  appoint(...given: Arguments<Administrators, "appoint">) {
    return this.#administrators.appoint(...given);
  }

  listRoles(...given: Arguments<Administrators, "listRoles">) {
    return this.#administrators.listRoles(...given);
  }

  listGroups(...given: Arguments<Administrators, "listGroups">) {
    return this.#administrators.listGroups(...given);
  }

  listGroup(...given: Arguments<Administrators, "listGroup">) {
    return this.#administrators.listGroup(...given);
  }

  registerClient(...given: Arguments<Administrators, "registerClient">) {
    return this.#administrators.registerClient(...given);
  }

  removeClient(...given: Arguments<Administrators, "removeClient">) {
    return this.#administrators.removeClient(...given);
  }

  listClients(...given: Arguments<Administrators, "listClients">) {
    return this.#administrators.listClients(...given);
  }

  createAccount(...given: Arguments<Accounts, "createAccount">) {
    return this.#accounts.createAccount(...given);
  }

  accountStates(...given: Arguments<Accounts, "accountStates">) {
    return this.#accounts.accountStates(...given);
  }

  readAccount(...given: Arguments<Accounts, "readAccount">) {
    return this.#accounts.readAccount(...given);
  }

  scheduleDeletion(...given: Arguments<Accounts, "scheduleDeletion">) {
    return this.#accounts.scheduleDeletion(...given);
  }

  cancelDeletion(...given: Arguments<Accounts, "cancelDeletion">) {
    return this.#accounts.cancelDeletion(...given);
  }

  renewAccountKey(...given: Arguments<Accounts, "renewAccountKey">) {
    return this.#accounts.renewAccountKey(...given);
  }

  listVersions(...given: Arguments<Accounts, "listVersions">) {
    return this.#accounts.listVersions(...given);
  }

  addVersion(...given: Arguments<Accounts, "addVersion">) {
    return this.#accounts.addVersion(...given);
  }

  scheduleVersion(...given: Arguments<Accounts, "scheduleVersion">) {
    return this.#accounts.scheduleVersion(...given);
  }

  keepVersion(...given: Arguments<Accounts, "keepVersion">) {
    return this.#accounts.keepVersion(...given);
  }

  accounts(...given: Arguments<Accounts, "accounts">) {
    return this.#accounts.accounts(...given);
  }

  members(...given: Arguments<Accounts, "members">) {
    return this.#accounts.members(...given);
  }

  putMember(...given: Arguments<Accounts, "putMember">) {
    return this.#accounts.putMember(...given);
  }

  removeMember(...given: Arguments<Accounts, "removeMember">) {
    return this.#accounts.removeMember(...given);
  }
}
