import { WorkerEntrypoint } from "cloudflare:workers";
import { decodeBase64url } from "#protocol/base64url.ts";
import type { KeyIdentifierRequest, RenewalRequest, Tokens } from "#protocol/contract/index.ts";
import { principalId } from "#protocol/principal.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import { fromHsm, openHsm } from "../hsm/index.ts";
import { fail, ok, type Result } from "../result.ts";
import { hashSecret, principalOf } from "../secret.ts";
import { type Tenant, tenantNamed } from "../tenants.ts";
import { tokenKey } from "./access-token.ts";
import type { IamAccountObject } from "./account.ts";
import { findClient } from "./clients.ts";
import { type AuthorizationRequest, readAuthorizationRequest } from "./codes.ts";
import type { OfInstance, Waited } from "./instance-keys.ts";
import type { InstanceTokenRequest, InstanceTokens } from "./instance-token.ts";
import type { KeyIdentifier } from "./key-identifiers.ts";
import { BY_NAME, userOfCustodian } from "./name.ts";
import { type Leave, ProviderError, type ProviderFailure, type RelyingParty } from "./oidc/index.ts";
import { relyingParty } from "./relying-party.ts";
import { KeptSettings, type Settings } from "./settings.ts";
import type { SignedIn } from "./sign-in.ts";
import { checkTicket, makeTicket, type Question, type TicketCheck, ticketKey } from "./ticket.ts";
import { refuseUnknown, type TokenRequest } from "./tokens.ts";
import type { AccountKey, Custodian, TokenKey, VaultSession } from "./types.ts";

/** What the browser is to do next. */
export type AuthorizeAnswer =
  | { next: "redirect"; location: string }
  /** Go to the provider, with a transaction in a cookie. */
  | ({ next: "leave" } & Leave)
  /** Ask the person: `name` is who is signed in, or who has just come back from the provider. */
  | ({
      next: "ask";
      name: string;
      by: "session" | "provider";
      /** Whether somebody else may sign in. */
      others: boolean;
      /** Goes into the form and comes back with the answer. */
      ticket: string;
      /** The answer did not count: it came too early, or too late. */
      again?: "early" | "late";
    } & OfRequest)
  /** Nobody is signed in any more: the person begins again. */
  | ({ next: "begin" } & OfRequest)
  /** The provider signed nobody in. Null where nobody knows what for. */
  | { next: "failed"; failure: ProviderFailure; of: { query: string; declined: string } | null }
  /** The tenant has no provider. */
  | { next: "no-provider" };

/** The app that asks, and where the browser goes when the person declines. */
type OfRequest = { origin: string; declined: string };

/** `query` is that of the request to `/authorize`, `cookie` the vault's, `transaction` that of a sign-in under way. */
type Asked = { tenant: string; query: string; cookie: string | null; transaction: string | null };

/** What the vault's account page shows: who is signed in there, and in which apps (by origin). */
export type Account = {
  name: string;
  apps: string[];
  ticket: string;
  /** Where signing out leads: the provider's address for it, if it has one. */
  logout: string | null;
};

/** A page of the vault with a form. */
type OfPage = { cookie: string | null } & Pick<Question, "page" | "about">;
type Present = { session: VaultSession | null; clients: string[] };

type AccountStub = DurableObjectStub<IamAccountObject>;

/** What the door needs of its neighbours. */
interface Neighbours {
  RA: { instance(of: { tenant: string; user: string; instance: string }): Promise<Result<Enrolled>> };
}

/** This isolate's. */
const kept = new KeptSettings();

/** A caller, and the account that it names. */
type Wanted = { tenant: string; account: string; caller: Caller };

/**
 * The IAM's door. The gateway says which tenant's a request is, by its host. What it shows says whose it is, and so which object
 * is asked, which decides.
 */
export class Iam extends WorkerEntrypoint<Env> {
  /**
   * RFC 6749 §4.1.1. It issues nothing: anyone who opens that address may name a DPoP key of their own, so the user is asked
   * first, session or not.
   */
  async authorize(asked: Asked): Promise<Result<AuthorizeAnswer>> {
    const read = await this.#read(asked);
    if (!read.ok) return read.answer;
    const { tenant, query } = asked;
    const another = (new URLSearchParams(query).get("prompt") ?? "") === "login";
    const asking = await this.#ask(read.request, asked, { another });
    if (asking !== null) return ok(asking);
    return ok(await this.#leave(this.#tenant(tenant), read.request, query, another));
  }

  /** The person said yes: a code for the session's user, or the question again if there is no session any more. */
  async approve(
    request: Asked & {
      /** That of the form. */
      ticket: string;
      requestId: string;
    },
  ): Promise<Result<AuthorizeAnswer>> {
    const { tenant, query, cookie, ticket, requestId } = request;
    const read = await this.#read(request);
    if (!read.ok) return read.answer;
    if (cookie === null) return ok(this.#begin(read.request, tenant));
    const answered = await this.#answered(tenant, { cookie, page: "sign-in", about: query, ticket });
    const issued = await this.#issue(read.request, { tenant, cookie, answered, requestId });
    if (issued.ok || !["no-session", "conflict"].includes(issued.problem.code)) return issued;
    const asked = { ...request, transaction: null };
    const asking = await this.#ask(read.request, asked, answered.ok ? {} : { again: answered.again });
    return ok(asking ?? this.#begin(read.request, tenant));
  }

  /** The browser comes back from the provider; `query` is that of the provider's answer. Nobody is signed in by it yet. */
  async identify(request: {
    tenant: string;
    query: string;
    transaction: string | null;
    requestId: string;
  }): Promise<
    | { ok: true; query: string; transaction: string; maxAge: number }
    | { ok: false; answer: Extract<AuthorizeAnswer, { next: "failed" | "no-provider" }> }
  > {
    const { tenant, transaction, requestId } = request;
    const party = await this.#party(this.#tenant(tenant));
    if (party === null) return { ok: false, answer: { next: "no-provider" } };
    const answer = new URLSearchParams(request.query);
    let query: string | null = null;
    try {
      const under = await party.expect(answer, transaction);
      query = under.query;
      return { ok: true, query, ...(await party.takeBack(answer, under)) };
    } catch (error) {
      const { failure, message: reason } = providerError(error, requestId);
      // Where nothing was under way in this browser, nobody tried to sign in.
      if (query !== null) await this.#object(tenant).refuseSignIn({ reason, requestId });
      return { ok: false, answer: { next: "failed", failure, of: await this.#under(tenant, query) } };
    }
  }

  /**
   * Who has come back from the provider said yes: signs them in, and approves the request in `query`, to which the browser
   * has come back. `finished` where the transaction is of no use any more.
   */
  async signIn(
    request: Asked & {
      /** That of the form; null for a program in development, which has no page on which a person could be tricked. */
      ticket: string | null;
      requestId: string;
    },
  ): Promise<Result<AuthorizeAnswer & { session?: SignedIn; finished?: true }>> {
    const { tenant, query, cookie, transaction, ticket, requestId } = request;
    const read = await this.#read(request);
    if (!read.ok) return read.answer;
    const party = await this.#party(this.#tenant(tenant));
    const person = (await party?.identified(query, transaction)) ?? null;
    if (person === null) return ok({ ...this.#begin(read.request, tenant), finished: true });
    const asked = { session: person.transaction, page: "sign-in", about: query } as const;
    const answered: TicketCheck =
      ticket === null
        ? { ok: true }
        : await checkTicket(await this.#ticketKey(tenant), asked, ticket, Date.now());
    if (!answered.ok) {
      const asking = await this.#ask(read.request, request, { again: answered.again });
      return ok(asking ?? this.#begin(read.request, tenant));
    }
    const { issuer, subject, name } = person;
    const principal = await principalId({ tenant, issuer, subject });
    // The new session replaces that of the cookie.
    const session = await this.#principal(tenant, principal).signIn({
      principal,
      name,
      earlier: issuer === BY_NAME ? subject : null,
      transaction: person.transaction,
      cookie,
      requestId,
    });
    if (!session.ok && session.problem.code === "conflict")
      return ok({ ...this.#begin(read.request, tenant), finished: true });
    if (!session.ok) return session;
    const by = { tenant, cookie: session.value.cookie, answered, requestId };
    const issued = await this.#issue(read.request, by);
    return issued.ok ? ok({ ...issued.value, session: session.value, finished: true }) : issued;
  }

  /** A person signed out at the provider, which says so by a token of its own: all sessions of theirs end here. */
  async loggedOut({ tenant, token, requestId }: { tenant: string; token: string; requestId: string }) {
    const party = await this.#party(this.#tenant(tenant));
    if (party === null) return fail("not-found");
    try {
      const { issuer, subject } = await party.loggedOut(token);
      const principal = await principalId({ tenant, issuer, subject });
      return await this.#principal(tenant, principal).endAll(requestId);
    } catch (error) {
      providerError(error, requestId);
      return fail("bad-request");
    }
  }

  /**
   * An app ends what was issued to it in this session (`app` is its origin), and nothing else; the vault, with null, ends
   * the session and all that was issued in it. Errors: `foreign-origin` for an unknown app.
   */
  async signOut(request: {
    tenant: string;
    cookie: string;
    app: string | null;
    requestId: string;
  }): Promise<Result<null>> {
    const { tenant, cookie, app, requestId } = request;
    const object = this.#holder(tenant, cookie);
    if (object === null) return ok(null);
    if (app === null) return object.signOut({ cookie, client: null, requestId });
    const client = this.#tenant(tenant).apps.find(({ origin }) => origin === app);
    return client === undefined
      ? fail("foreign-origin")
      : object.signOut({ cookie, client: client.id, requestId });
  }

  /** For the vault's account page; null when nobody is signed in. */
  async account({ tenant, cookie }: { tenant: string; cookie: string }): Promise<Result<Account | null>> {
    const asked = { cookie, page: "account", about: "" } as const;
    const { session, ticket, clients } = await this.#asking(tenant, asked);
    if (session === null) return ok(null);
    const apps = clients
      .map((id) => findClient(this.#tenant(tenant), id)?.origin)
      .filter((origin) => origin !== undefined);
    return ok({ name: session.name, apps, ticket, logout: await this.#logout(this.#tenant(tenant)) });
  }

  /** Signs out as the form of the account page asks; answers why not where its ticket does not hold. */
  async leave(request: {
    tenant: string;
    cookie: string;
    app: string | null;
    ticket: string;
    requestId: string;
  }): Promise<Result<{ again?: "early" | "late"; logout?: string | null }>> {
    const { ticket, ...rest } = request;
    const { tenant, cookie } = rest;
    const asked = { cookie, page: "account", about: "" } as const;
    const answered = await this.#answered(tenant, { ...asked, ticket });
    if (!answered.ok) return ok({ again: answered.again });
    const ended = await this.signOut(rest);
    if (!ended.ok) return ended;
    return ok(rest.app === null ? { logout: await this.#logout(this.#tenant(tenant)) } : {});
  }

  /** Who the vault's cookie stands for. */
  async session({
    tenant,
    cookie,
  }: {
    tenant: string;
    cookie: string;
    requestId: string;
  }): Promise<Result<VaultSession>> {
    const { session } = await this.#session(tenant, cookie);
    return session === null ? fail("no-session") : ok(session);
  }

  /** The gateway has verified the DPoP proof. */
  async token({ tenant, ...request }: TokenRequest & { tenant: string }): Promise<Result<Tokens>> {
    const { grant } = request;
    const principal = principalOf(grant.type === "refresh_token" ? grant.token : grant.code);
    if (principal === null) return refuseUnknown(this.#tenant(tenant), request);
    const settings = await this.#settings(tenant);
    return this.#principal(tenant, principal).token(principal, request, settings);
  }

  /** W9: a token for an instance. The gateway has verified proof and assertion, both by the key that it brings. */
  async instanceToken({
    tenant,
    ...request
  }: InstanceTokenRequest & { tenant: string }): Promise<Result<InstanceTokens>> {
    const user = userOfCustodian(request.custodian);
    if (user === null) return fail("invalid-client");
    const { RA }: Neighbours = this.env;
    const [found, settings] = await Promise.all([
      RA.instance({ tenant, user, instance: request.instance }),
      this.#settings(tenant),
    ]);
    return this.#principal(tenant, user).instanceToken(request, found, settings);
  }

  /** Keys that verify access tokens: the deployment's, whichever tenant asks. No object is asked. */
  async keys(_: { tenant: string }): Promise<Result<TokenKey[]>> {
    const hsm = openHsm(this.env.HSM_IAM, this.env.COFFER_HSM_URL_IAM || this.env.COFFER_HSM_URL);
    return fromHsm("keys", async () => ok([await tokenKey(hsm)]));
  }

  /** M5: the user's registered custodian with this name and DPoP key. */
  async custodian(wanted: {
    tenant: string;
    user: string;
    dn: string;
    jkt: string;
  }): Promise<Result<Custodian>> {
    const settings = await this.#settings(wanted.tenant);
    return this.#principal(wanted.tenant, wanted.user).custodian(wanted, settings);
  }

  /**
   * Whether the caller's sign-in lives and its app is not denied, which the user's object says, and the user is a member of this account, which lives: that
   * the account's object says. Errors: `invalid-token`, `forbidden`.
   */
  async member({ tenant, account, caller }: Wanted): Promise<Result<null>> {
    if (caller.tenant !== tenant) return fail("forbidden");
    const [signedIn, member] = await Promise.all([
      this.#signedIn(caller),
      this.#account(tenant, account).member(caller),
    ]);
    return signedIn.ok ? member : signedIn;
  }

  /**
   * Whether the caller's sign-in lives and its app is not denied, for a neighbour where no account is at stake. A refusal is recorded.
   * Errors: `invalid-token`, `forbidden`.
   */
  async signedIn(caller: Caller): Promise<Result<null>> {
    return this.#signedIn(caller, {
      action: "iam:signed-in",
      resource: `custodian/${caller.custodian}`,
    });
  }

  /**
   * W11: the account's key of this id if there is one, or the current one, encrypted under the master key; made at the first request. By the same rule as `member`. Where
   * the account has one it is read while the sign-in is looked up; only for a caller who is signed in is one made, or anything written.
   */
  async accountKey({ tenant, account, caller, id }: Wanted & { id?: string }): Promise<Result<AccountKey>> {
    if (caller.tenant !== tenant) return fail("forbidden");
    const object = this.#account(tenant, account);
    const [signedIn, kept] = await Promise.all([
      this.#signedIn(caller, { action: "iam:account-key", resource: `account/${account}` }),
      object.keptAccountKey(caller, id),
    ]);
    if (!signedIn.ok) return signedIn;
    return kept === null ? object.accountKey(account, caller) : ok(kept);
  }

  /** `POST /instances/key-identifiers`. */
  async keyIdentifier(caller: InstanceCaller, request: KeyIdentifierRequest): Promise<Result<KeyIdentifier>> {
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

  /** `POST /instances/accounts/{account}/data-keys` (W10). */
  async renewDataKey(
    caller: InstanceCaller,
    account: string,
    { purpose, made }: RenewalRequest,
  ): Promise<Result<{ edk: string }>> {
    const wrapped = made && {
      made: { wrappedKey: decodeBase64url(made.wrappedKey), accountKey: made.accountKey },
    };
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
    const object = this.#account(caller.tenant, account);
    const { tenant, user, instance } = caller;
    const { RA }: Neighbours = this.env;
    const stand = () => Promise.all([this.#signedIn(caller, what), RA.instance({ tenant, user, instance })]);
    const [signedIn, found] = await stand();
    if (!signedIn.ok) return signedIn;
    const done = await work(object, { account, caller, found });
    if (!done.ok) return done;
    if (!done.value.waited) return ok(done.value.value);
    const [still, again] = await stand();
    if (!still.ok) return still;
    const stands = await object.stillStands({ account, caller, found: again });
    return stands.ok ? ok(done.value.value) : stands;
  }

  /**
   * A member, signed in, leaves the account. Until all have heard of it the account's object refuses. Errors: `invalid-token`,
   * `forbidden`, `conflict` for the last member, who can have the account shredded.
   */
  async leaveAccount(caller: Caller, account: string): Promise<Result<null>> {
    const signedIn = await this.#signedIn(caller, {
      action: "iam:leave-account",
      resource: `account/${account}`,
    });
    return signedIn.ok ? this.#account(caller.tenant, account).leave(caller) : signedIn;
  }

  /**
   * A member, signed in, ends the account for all its members, for good: its key is deleted, its documents are erased. Asked for
   * again, it is the same. Errors: `invalid-token`, `forbidden`.
   */
  async shredAccount(caller: Caller, account: string): Promise<Result<null>> {
    const signedIn = await this.#signedIn(caller, {
      action: "iam:shred-account",
      resource: `account/${account}`,
    });
    return signedIn.ok ? this.#account(caller.tenant, account).shred(caller) : signedIn;
  }

  /** With `what`, a refusal is recorded there. */
  async #signedIn(caller: Caller, what?: { action: string; resource: string }): Promise<Result<null>> {
    const settings = await this.#settings(caller.tenant);
    return this.#principal(caller.tenant, caller.user).signedIn(caller, settings, what);
  }

  /** As this isolate has them. */
  #settings(tenant: string): Promise<Settings> {
    return kept.of(tenant, () => this.#object(tenant).settings());
  }

  #tenant(name: string): Tenant {
    return tenantNamed(this.env, name);
  }

  /** The tenant's own object; none for a name that is in no table. */
  #object(tenant: string) {
    return this.env.IAM_OBJECT.getByName(this.#tenant(tenant).name);
  }

  #principal(tenant: string, principal: string) {
    return this.env.IAM_PRINCIPAL_OBJECT.getByName(`${this.#tenant(tenant).name}/${principal}`);
  }

  #account(tenant: string, account: string) {
    return this.env.IAM_ACCOUNT_OBJECT.getByName(`${this.#tenant(tenant).name}/${account}`);
  }

  /** The object that a cookie addresses. */
  #holder(tenant: string, cookie: string) {
    const principal = principalOf(cookie);
    return principal === null ? null : this.#principal(tenant, principal);
  }

  async #session(tenant: string, cookie: string | null): Promise<Present> {
    const holder = cookie === null ? null : this.#holder(tenant, cookie);
    if (cookie === null || holder === null) return { session: null, clients: [] };
    return holder.session({ cookie });
  }

  /** Whom a page asks, in which apps that person is signed in, and the ticket for the page's form. */
  async #asking(tenant: string, { cookie, ...asked }: OfPage): Promise<Present & { ticket: string }> {
    const [present, key, session] = await Promise.all([
      this.#session(tenant, cookie),
      this.#ticketKey(tenant),
      cookie === null ? null : hashSecret(cookie),
    ]);
    return { ...present, ticket: await makeTicket(key, { ...asked, session }, Date.now()) };
  }

  /** What becomes of a form's ticket. */
  async #answered(
    tenant: string,
    { cookie, ticket, ...asked }: OfPage & { ticket: string },
  ): Promise<TicketCheck> {
    const session = cookie === null ? null : await hashSecret(cookie);
    return checkTicket(await this.#ticketKey(tenant), { ...asked, session }, ticket, Date.now());
  }

  #ticketKey(tenant: string): Promise<CryptoKey> {
    return ticketKey(tenant, () => this.#object(tenant).ticketKey());
  }

  /** The request in `query`, or what to answer instead. */
  async #read({
    tenant: name,
    query,
  }: Pick<Asked, "tenant" | "query">): Promise<
    | { ok: true; request: AuthorizationRequest }
    | { ok: false; answer: Result<{ next: "redirect"; location: string }> }
  > {
    const tenant = this.#tenant(name);
    const read = readAuthorizationRequest(new URLSearchParams(query), (id) => findClient(tenant, id));
    if (read.ok) {
      const { denied } = await this.#settings(name);
      if (!denied.includes(read.request.client.id)) return read;
      return { ok: false, answer: ok(this.#denied(tenant, read.request)) };
    }
    if (read.redirectUri === null) return { ok: false, answer: fail("invalid-client") };
    const { redirectUri, state, error } = read;
    const location = redirect(tenant, redirectUri, { error, state });
    return { ok: false, answer: ok({ next: "redirect", location }) };
  }

  /** RFC 6749 §4.1.2.1: the app is known, and gets no code. */
  #denied(tenant: Tenant, { redirectUri, state }: AuthorizationRequest) {
    const location = redirect(tenant, redirectUri, { error: "unauthorized_client", state });
    return { next: "redirect" as const, location };
  }

  /** The question to who has come back from the provider, or to who is signed in; null where there is nobody to ask. */
  async #ask(
    request: AuthorizationRequest,
    { tenant, query, cookie, transaction }: Asked,
    how: { another?: boolean; again?: "early" | "late" },
  ): Promise<Extract<AuthorizeAnswer, { next: "ask" }> | null> {
    const party = await this.#party(this.#tenant(tenant));
    const about = { page: "sign-in", about: query } as const;
    const of = { ...this.#ofRequest(request, tenant), ...(how.again !== undefined && { again: how.again }) };
    const person = await party?.identified(query, transaction);
    if (person) {
      const { name, transaction: session } = person;
      const ticket = await makeTicket(await this.#ticketKey(tenant), { ...about, session }, Date.now());
      return { next: "ask", name, by: "provider", others: true, ticket, ...of };
    }
    const { session, ticket } = await this.#asking(tenant, { cookie, ...about });
    if (session === null || (how.another && party !== null)) return null;
    return { next: "ask", name: session.name, by: "session", others: party !== null, ticket, ...of };
  }

  #begin(request: AuthorizationRequest, tenant: string): Extract<AuthorizeAnswer, { next: "begin" }> {
    return { next: "begin", ...this.#ofRequest(request, tenant) };
  }

  #ofRequest({ client, redirectUri, state }: AuthorizationRequest, tenant: string): OfRequest {
    const declined = redirect(this.#tenant(tenant), redirectUri, { error: "access_denied", state });
    return { origin: client.origin, declined };
  }

  /** To the provider, or why not. */
  async #leave(
    tenant: Tenant,
    { redirectUri, state }: AuthorizationRequest,
    query: string,
    another: boolean,
  ): Promise<AuthorizeAnswer> {
    const party = await this.#party(tenant);
    if (party === null) return { next: "no-provider" };
    try {
      const left = await party.leave(query, another);
      if (left !== null) return { next: "leave", ...left };
      const location = redirect(tenant, redirectUri, { error: "invalid_request", state });
      return { next: "redirect", location };
    } catch (error) {
      const { failure } = providerError(error);
      return { next: "failed", failure, of: await this.#under(tenant.name, query) };
    }
  }

  /** What a sign-in that failed was for, if that is still known and allowed. */
  async #under(tenant: string, query: string | null): Promise<{ query: string; declined: string } | null> {
    const read = query === null ? null : await this.#read({ tenant, query });
    if (query === null || !read?.ok) return null;
    return { query, declined: this.#ofRequest(read.request, tenant).declined };
  }

  /** Where to sign out at the provider too. A provider that does not answer keeps nobody from signing out here. */
  async #logout(tenant: Tenant): Promise<string | null> {
    try {
      return (await (await this.#party(tenant))?.logout(`${tenant.vault}/account`)) ?? null;
    } catch (error) {
      providerError(error);
      return null;
    }
  }

  #party(tenant: Tenant): Promise<RelyingParty | null> {
    return relyingParty(this.env, tenant, () => this.#object(tenant.name).ticketKey());
  }

  async #issue(
    request: AuthorizationRequest,
    { tenant, ...by }: { tenant: string; cookie: string; answered: TicketCheck; requestId: string },
  ): Promise<Result<{ next: "redirect"; location: string }>> {
    const principal = principalOf(by.cookie);
    if (principal === null) return fail("no-session");
    const settings = await this.#settings(tenant);
    const issued = await this.#principal(tenant, principal).issueCode({
      principal,
      request,
      settings,
      ...by,
    });
    // The principal's object has heard of it before this isolate.
    if (!issued.ok && issued.problem.code === "forbidden")
      return ok(this.#denied(this.#tenant(tenant), request));
    if (!issued.ok) return issued;
    const { redirectUri, state } = request;
    const { code } = issued.value;
    return ok({ next: "redirect", location: redirect(this.#tenant(tenant), redirectUri, { code, state }) });
  }
}

/** What failed with a provider. The operator's log says why; anything else that fails is no affair of the provider's. */
function providerError(error: unknown, requestId?: string): ProviderError {
  if (!(error instanceof ProviderError)) throw error;
  const { failure, message: reason } = error;
  console.warn(JSON.stringify({ event: "identity-provider", failure, reason, requestId }));
  return error;
}

/** RFC 6749 §4.1.2 with the issuer of RFC 9207. */
function redirect(
  { vault }: Tenant,
  redirectUri: string,
  parameters: { code?: string; error?: string; state: string | null },
): string {
  const url = new URL(redirectUri);
  const { code, error, state } = parameters;
  if (code !== undefined) url.searchParams.set("code", code);
  if (error !== undefined) url.searchParams.set("error", error);
  if (state !== null) url.searchParams.set("state", state);
  url.searchParams.set("iss", vault);
  return url.href;
}
