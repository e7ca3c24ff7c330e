import { decodeBase64url } from "#protocol/base64url.ts";
import {
  ACCOUNT_STATES_PAGE,
  type DeletionRequest,
  type KeyIdentifierRequest,
  type MadeAccountKeyRequest,
  type NewAccountRequest,
  type RenewalRequest,
} from "#protocol/contract/index.ts";
import type { AccountRole } from "#protocol/roles.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import type { ListedIdentifier } from "../key-identifiers.ts";
import type { Member, Person } from "../person.ts";
import { fail, ok, type Problem, type Result } from "../result.ts";
import type { AccountState, IamAccountObject } from "./account.ts";
import type { Addresses } from "./addresses.ts";
import type { OfCustodian } from "./custodian-keys.ts";
import type { Followed } from "./follow-master.ts";
import type { OfInstance, ToldIdentifier, Waited } from "./instance-keys.ts";
import type { MemberRow } from "./members.ts";
import type { Account } from "./memberships.ts";
import { standingFor } from "./named-admin.ts";
import type { KeptStanding } from "./standing.ts";
import type { AccountKey, ReceivingKey } from "./types.ts";

type AccountStub = DurableObjectStub<IamAccountObject>;

/** What the door needs of its neighbours. */
interface Neighbours {
  RA: { instance(of: { tenant: string; user: string; instance: string }): Promise<Result<Enrolled>> };
}

/** A caller, and the account that it names. */
export type Wanted = { tenant: string; account: string; caller: Caller };

/** Accounts, for members who are signed in and for instances that serve them: each question goes to both objects. */
export class Accounts {
  readonly #at: Addresses;

  constructor(at: Addresses) {
    this.#at = at;
  }

  /**
   * Whether the caller's sign-in lives and its app is not denied, which the user's object says, and the user is a member of this account, which lives: that
   * the account's object says. Errors: `invalid-token`, `forbidden`.
   */
  async member({ tenant, account, caller }: Wanted): Promise<Result<Member>> {
    if (caller.tenant !== tenant) return fail("forbidden");
    const [signedIn, member] = await Promise.all([
      this.#signedIn(caller),
      this.#at.account(tenant, account).member(caller),
    ]);
    if (!signedIn.ok) return signedIn;
    return member.ok ? ok({ ...signedIn.value, as: member.value }) : member;
  }

  /**
   * Whether the caller's sign-in lives and its app is not denied, for a neighbour where no account is at stake. A refusal is recorded.
   * Errors: `invalid-token`, `forbidden`.
   */
  async signedIn(caller: Caller): Promise<Result<Person>> {
    return this.#signedIn(caller, aboutSignIn(caller));
  }

  /** The same, as the principal's object has it. */
  async kept(caller: Caller): Promise<Result<KeptStanding>> {
    return this.#keptStanding(caller, aboutSignIn(caller));
  }

  /**
   * W11: the account's key of this id if there is one, or the current one, encrypted under the master key; made at the first request. By the same rule as `member`. Where
   * the account has one it is read while the sign-in is looked up; only for a caller who is signed in is one made, or anything written.
   */
  async accountKey({
    tenant,
    account,
    caller,
    id,
  }: Wanted & { id?: string }): Promise<Result<AccountKey & { by: Member }>> {
    if (caller.tenant !== tenant) return fail("forbidden");
    const object = this.#at.account(tenant, account);
    const [signedIn, kept] = await Promise.all([
      this.#signedIn(caller, { action: "iam:account-key", resource: `account/${account}` }),
      object.keptAccountKey(caller, id),
    ]);
    if (!signedIn.ok) return signedIn;
    const key = kept === null ? await object.accountKey(account, caller) : ok(kept);
    if (!key.ok) return key;
    const { as, ...accountKey } = key.value;
    return ok({ ...accountKey, by: { ...signedIn.value, as } });
  }

  /**
   * For a document of the account `from` that the caller, its member, shares: the current key of another account, and what both are called. Errors:
   * `invalid-token`, `forbidden`; `not-found` for an account that is not there, or is scheduled for deletion.
   */
  async receivingKey({
    tenant,
    account,
    from,
    caller,
  }: Wanted & { from: string }): Promise<Result<ReceivingKey>> {
    if (caller.tenant !== tenant) return fail("forbidden");
    const signedIn = await this.#signedIn(caller, { action: "iam:share", resource: `account/${account}` });
    if (!signedIn.ok) return signedIn;
    const own = await this.#at.account(tenant, from).read(caller);
    if (!own.ok) return own;
    const receiving = await this.#at.account(tenant, account).receivingKey(account, caller);
    return receiving.ok ? ok({ ...receiving.value, from: own.value.name }) : receiving;
  }

  /** For the datastore, which records what it decides by it: whether there is such an account, for a caller who is signed in. Errors: as above. */
  async receives({ tenant, account, caller }: Wanted): Promise<Result<null>> {
    if (caller.tenant !== tenant) return fail("forbidden");
    const signedIn = await this.#signedIn(caller);
    return signedIn.ok ? this.#at.account(tenant, account).receives() : signedIn;
  }

  /** `POST /instances/key-identifiers`. */
  async keyIdentifier(
    caller: InstanceCaller,
    request: KeyIdentifierRequest,
  ): Promise<Result<ToldIdentifier>> {
    return this.#forInstance(caller, request.account, (object, of) => object.keyIdentifier(of, request));
  }

  /** `GET /instances/accounts/{account}/key`: Enc(account). For the KMS too, at level `account`. */
  async encryptedAccountKey(
    caller: InstanceCaller,
    account: string,
    id?: string,
  ): Promise<Result<AccountKey>> {
    return this.#forInstance(caller, account, (object, of) => object.encryptedAccountKey(of, id));
  }

  /** `POST /instances/accounts/{account}/key` (W11). */
  async rotateAccountKey(caller: InstanceCaller, account: string): Promise<Result<AccountKey>> {
    return this.#forInstance(caller, account, (object, of) => object.rotateAccountKey(of));
  }

  /** `PUT /instances/accounts/{account}/key` (W11). */
  async keepAccountKey(
    caller: InstanceCaller,
    account: string,
    { wrapped, ...made }: MadeAccountKeyRequest,
  ): Promise<Result<AccountKey>> {
    const bytes = decodeBase64url(wrapped);
    return this.#forInstance(caller, account, (object, of) =>
      object.keepAccountKey(of, { ...made, wrapped: bytes }),
    );
  }

  /** `POST /instances/accounts/{account}/data-keys` (W10). */
  async renewDataKey(
    caller: InstanceCaller,
    account: string,
    { purpose, made }: RenewalRequest,
  ): Promise<Result<{ edk: string }>> {
    const wrapped = made && { made: { ...made, wrappedKey: decodeBase64url(made.wrappedKey) } };
    return this.#forInstance(caller, account, (object, of) =>
      object.renewDataKey(of, { purpose, ...wrapped }),
    );
  }

  /** `DELETE /instances/accounts/{account}/data-keys/{key}` (W10). */
  async deleteDataKey(caller: InstanceCaller, account: string, key: string): Promise<Result<null>> {
    return this.#forInstance(caller, account, async (object, of) => {
      const deleted = await object.deleteDataKey(of, key);
      return deleted.ok ? ok({ value: null, waited: false }) : deleted;
    });
  }

  /** The account's object decides, by whether the sign-in lives and what the registration authority says, before the HSM works and after. */
  async #forInstance<T>(
    caller: InstanceCaller,
    account: string,
    work: (object: AccountStub, of: OfInstance) => Promise<Result<Waited<T>>>,
  ): Promise<Result<T>> {
    const what = { action: "iam:instance-keys", resource: `account/${account}` };
    const object = this.#at.account(caller.tenant, account);
    const { tenant, user, instance } = caller;
    const RA: Neighbours["RA"] = this.#at.env.RA_FOR_IAM;
    const stand = () => Promise.all([this.#signedIn(caller, what), RA.instance({ tenant, user, instance })]);
    const [signedIn, found] = await stand();
    if (!signedIn.ok) return signedIn;
    const done = await work(object, { account, caller, found, person: signedIn.value });
    if (!done.ok) return this.#refused(object, caller, what, done);
    if (!done.value.waited) return ok(done.value.value);
    const [still, again] = await stand();
    if (!still.ok) return still;
    const stands = await object.stillStands({ account, caller, found: again, person: still.value });
    return stands.ok ? ok(done.value.value) : stands;
  }

  /** An account that nobody has founded keeps nothing, and so no entry either: the refusal stands with who asked. */
  async #refused<R extends { ok: false; problem: Problem }>(
    object: AccountStub,
    caller: Caller,
    what: { action: string; resource: string },
    refusal: R,
  ): Promise<R> {
    if (refusal.problem.code === "forbidden" && !(await object.isFounded()))
      await this.#at.principal(caller.tenant, caller.user).refused(caller, what);
    return refusal;
  }

  /** The caller's own. */
  async accounts(caller: Caller): Promise<Result<Account[]>> {
    const signedIn = await this.signedIn(caller);
    return signedIn.ok ? ok(await this.#at.principal(caller.tenant, caller.user).accounts()) : signedIn;
  }

  /** For members. */
  async members(caller: Caller, account: string): Promise<Result<MemberRow[]>> {
    const about = { action: "iam:list-members", resource: `account/${account}` };
    const signedIn = await this.#signedIn(caller, about);
    return signedIn.ok ? this.#at.account(caller.tenant, account).members(caller) : signedIn;
  }

  /**
   * An owner, signed in, makes somebody of the same tenant a member, or gives a member another role. Errors: `forbidden`;
   * `not-found` for who has never signed in; `conflict` for the last owner; `quota-exceeded`.
   */
  async putMember(
    caller: Caller,
    account: string,
    { user, role }: { user: string; role: AccountRole },
  ): Promise<Result<null>> {
    const about = { action: "iam:put-member", resource: `account/${account}` };
    const signedIn = await this.#signedIn(caller, about);
    if (!signedIn.ok) return signedIn;
    const object = this.#at.account(caller.tenant, account);
    const own = await object.member(caller);
    const invited = own.ok ? await this.#at.principal(caller.tenant, user).invited() : null;
    const cannot = invited === null ? "not-found" : invited.room ? null : "quota-exceeded";
    return object.putMember(caller, { user, role, name: invited?.name ?? "" }, cannot);
  }

  /**
   * By an owner, or the member itself, who leaves. From the decision on nothing is given to that member. Errors: `forbidden`,
   * `conflict` for the last owner, who can have the account deleted.
   */
  async removeMember(caller: Caller, account: string, user: string): Promise<Result<null>> {
    const about = { action: "iam:remove-member", resource: `account/${account}` };
    const signedIn = await this.#signedIn(caller, about);
    return signedIn.ok ? this.#at.account(caller.tenant, account).removeMember(caller, user) : signedIn;
  }

  /** `POST /accounts` (W11). Its key is made with it; where the HSM is away, or has no master key, with the first request for one. Errors: `quota-exceeded`. */
  async createAccount(
    caller: Caller,
    request: NewAccountRequest,
  ): Promise<Result<{ id: string; name: string }>> {
    const { tenant, user } = caller;
    const signedIn = await this.#signedIn(caller, { action: "iam:create-account", resource: "account" });
    if (!signedIn.ok) return signedIn;
    const created = await this.#at.principal(tenant, user).createAccount(caller, request);
    if (!created.ok) return created;
    const { id } = created.value;
    const key = await this.#at.account(tenant, id).accountKey(id, caller);
    const away = !key.ok && ["hsm-unavailable", "hsm-refused", "strict-tenant"].includes(key.problem.code);
    return key.ok || away ? created : key;
  }

  /** What the account's object decides for a member who is signed in. */
  async #forMember<T>(
    caller: Caller,
    account: string,
    work: (object: AccountStub, of: OfCustodian) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const what = { action: "iam:account", resource: `account/${account}` };
    const signedIn = await this.#signedIn(caller, what);
    if (!signedIn.ok) return signedIn;
    const object = this.#at.account(caller.tenant, account);
    const done = await work(object, { account, caller, person: signedIn.value });
    return done.ok ? done : this.#refused(object, caller, what, done);
  }

  /** `GET /accounts/{account}`. */
  readAccount(caller: Caller, account: string): Promise<Result<AccountState>> {
    return this.#forMember(caller, account, (object) => object.read(caller));
  }

  /** `GET /account-states`: each from its own object. One that the caller has left meanwhile is missing. */
  async accountStates(
    caller: Caller,
    after = "",
  ): Promise<Result<{ accounts: AccountState[]; next?: string }>> {
    const { tenant, user } = caller;
    const signedIn = await this.#signedIn(caller, { action: "iam:accounts", resource: "accounts" });
    if (!signedIn.ok) return signedIn;
    const ids = (await this.#at.principal(tenant, user).accounts()).map(({ id }) => id);
    const left = ids.filter((id) => id > after).sort();
    const page = left.slice(0, ACCOUNT_STATES_PAGE);
    const read = await Promise.all(page.map((id) => this.#at.account(tenant, id).read(caller)));
    const accounts = read.flatMap((state) => (state.ok ? [state.value] : []));
    const next = left.length > page.length ? page.at(-1) : undefined;
    return ok({ accounts, ...(next !== undefined && { next }) });
  }

  /** `POST /accounts/{account}/deletion` (W11). At once it is for good: the key is deleted, the documents are erased. Asked for again, it is the same. */
  scheduleDeletion(
    caller: Caller,
    account: string,
    request: DeletionRequest,
  ): Promise<Result<{ ends: number }>> {
    if (request.immediately && request.days !== undefined) return Promise.resolve(fail("bad-request"));
    return this.#forMember(caller, account, (object) => object.scheduleDeletion(caller, request));
  }

  cancelDeletion(caller: Caller, account: string): Promise<Result<null>> {
    return this.#forMember(caller, account, (object) => object.cancelDeletion(caller));
  }

  /** `POST /accounts/{account}/key` (W11). */
  renewAccountKey(caller: Caller, account: string): Promise<Result<AccountKey>> {
    return this.#forMember(caller, account, (object, of) => object.renewAccountKey(of));
  }

  /** `GET /accounts/{account}/data-keys` (W10). */
  listVersions(caller: Caller, account: string): Promise<Result<ListedIdentifier[]>> {
    return this.#forMember(caller, account, (object, of) => object.listVersions(of));
  }

  addVersion(caller: Caller, account: string): Promise<Result<{ keyId: string; keyVersion: number }>> {
    const versioned = this.#at.tenant(caller.tenant).level !== "data";
    return this.#forMember(caller, account, (object, of) => object.addVersion(of, versioned));
  }

  scheduleVersion(
    caller: Caller,
    account: string,
    key: string,
    request: DeletionRequest,
  ): Promise<Result<{ ends: number }>> {
    if (request.immediately && request.days !== undefined) return Promise.resolve(fail("bad-request"));
    return this.#forMember(caller, account, (object, of) => object.scheduleVersion(of, key, request));
  }

  keepVersion(caller: Caller, account: string, key: string): Promise<Result<null>> {
    return this.#forMember(caller, account, (object, of) => object.keepVersion(of, key));
  }

  /** For the KMS: how many accounts of an earlier release it has still to hear of (W12). */
  async unlisted({ tenant }: { tenant: string }): Promise<Result<number>> {
    return ok(await this.#at.object(tenant).unlisted());
  }

  /** For the KMS, which goes through all accounts once the master key was replaced (W12). */
  async followMaster(of: { tenant: string; account: string; requestId: string }): Promise<Result<Followed>> {
    return this.#at.account(of.tenant, of.account).followMaster(of.requestId);
  }

  /** With `what`, a refusal is recorded there. */
  async #signedIn(caller: Caller, what?: { action: string; resource: string }): Promise<Result<Person>> {
    const kept = await this.#keptStanding(caller, what);
    if (!kept.ok) return kept;
    return ok(await standingFor(this.#at.tenant(caller.tenant), caller.user, kept.value));
  }

  async #keptStanding(
    caller: Caller,
    what?: { action: string; resource: string },
  ): Promise<Result<KeptStanding>> {
    const settings = await this.#at.settings(caller.tenant);
    return this.#at.principal(caller.tenant, caller.user).signedIn(caller, settings, what);
  }
}

function aboutSignIn({ custodian }: Caller) {
  return { action: "iam:signed-in", resource: `custodian/${custodian}` };
}
