import { principalId } from "#protocol/principal.ts";
import { fail, ok, type Result } from "../result.ts";
import { principalOf } from "../secret.ts";
import type { Tenant } from "../tenants.ts";
import type { Addresses } from "./addresses.ts";
import { findClient } from "./clients.ts";
import { type AuthorizationRequest, readAuthorizationRequest } from "./codes.ts";
import { BY_NAME } from "./name.ts";
import { type Leave, ProviderError, type ProviderFailure } from "./oidc/index.ts";
import { providerError } from "./provider-error.ts";
import type { SignedIn } from "./sign-in.ts";
import { checkTicket, makeTicket, type TicketCheck } from "./ticket.ts";
import type { VaultSessions } from "./vault-sessions.ts";

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
export type Asked = { tenant: string; query: string; cookie: string | null; transaction: string | null };

/** An app's request for a code: who is asked, and what they answer (RFC 6749 §4.1). */
export class Authorization {
  readonly #at: Addresses;
  readonly #sessions: VaultSessions;

  constructor(at: Addresses, sessions: VaultSessions) {
    this.#at = at;
    this.#sessions = sessions;
  }

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
    return ok(await this.#leave(this.#at.tenant(tenant), read.request, query, another));
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
    const answered = await this.#sessions.answered(tenant, { cookie, page: "sign-in", about: query, ticket });
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
    const party = await this.#at.party(this.#at.tenant(tenant));
    if (party === null) return { ok: false, answer: { next: "no-provider" } };
    const answer = new URLSearchParams(request.query);
    let query: string | null = null;
    try {
      const under = await party.expect(answer, transaction);
      query = under.query;
      // Before the provider is asked: whoever repeats an answer has it asked once.
      if (!(await this.#at.transactions(tenant, under.id).takeTransaction(under)))
        throw new ProviderError("stale", "the sign-in has come back before");
      return { ok: true, query, ...(await party.takeBack(answer, under)) };
    } catch (error) {
      const { failure, message: reason } = providerError(error, requestId);
      // Where nothing was under way in this browser, nobody tried to sign in.
      if (query !== null) await this.#at.object(tenant).refuseSignIn({ reason, requestId });
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
    const party = await this.#at.party(this.#at.tenant(tenant));
    const person = (await party?.identified(query, transaction)) ?? null;
    if (person === null) return ok({ ...this.#begin(read.request, tenant), finished: true });
    const asked = { session: person.transaction, page: "sign-in", about: query } as const;
    const answered: TicketCheck =
      ticket === null
        ? { ok: true }
        : await checkTicket(await this.#at.ticketKey(tenant), asked, ticket, Date.now());
    if (!answered.ok) {
      const asking = await this.#ask(read.request, request, { again: answered.again });
      return ok(asking ?? this.#begin(read.request, tenant));
    }
    const { issuer, subject, name, groups, admin } = person;
    const principal = await principalId({ tenant, issuer, subject });
    // The new session replaces that of the cookie.
    const session = await this.#at.principal(tenant, principal).signIn({
      principal,
      name,
      earlier: issuer === BY_NAME ? subject : null,
      app: read.request.client.id,
      claims: { groups, admin },
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

  /** The request in `query`, or what to answer instead. */
  async #read({
    tenant: name,
    query,
  }: Pick<Asked, "tenant" | "query">): Promise<
    | { ok: true; request: AuthorizationRequest }
    | { ok: false; answer: Result<{ next: "redirect"; location: string }> }
  > {
    const tenant = this.#at.tenant(name);
    const read = readAuthorizationRequest(new URLSearchParams(query), (id) => findClient(tenant, id));
    if (read.ok) {
      const { denied } = await this.#at.settings(name);
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
    const party = await this.#at.party(this.#at.tenant(tenant));
    const about = { page: "sign-in", about: query } as const;
    const of = { ...this.#ofRequest(request, tenant), ...(how.again !== undefined && { again: how.again }) };
    const person = await party?.identified(query, transaction);
    if (person) {
      const { name, transaction: session } = person;
      const ticket = await makeTicket(await this.#at.ticketKey(tenant), { ...about, session }, Date.now());
      return { next: "ask", name, by: "provider", others: true, ticket, ...of };
    }
    const { session, ticket } = await this.#sessions.asking(tenant, { cookie, ...about });
    if (session === null || (how.another && party !== null)) return null;
    return { next: "ask", name: session.name, by: "session", others: party !== null, ticket, ...of };
  }

  #begin(request: AuthorizationRequest, tenant: string): Extract<AuthorizeAnswer, { next: "begin" }> {
    return { next: "begin", ...this.#ofRequest(request, tenant) };
  }

  #ofRequest({ client, redirectUri, state }: AuthorizationRequest, tenant: string): OfRequest {
    const declined = redirect(this.#at.tenant(tenant), redirectUri, { error: "access_denied", state });
    return { origin: client.origin, declined };
  }

  /** To the provider, or why not. */
  async #leave(
    tenant: Tenant,
    { redirectUri, state }: AuthorizationRequest,
    query: string,
    another: boolean,
  ): Promise<AuthorizeAnswer> {
    const party = await this.#at.party(tenant);
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

  async #issue(
    request: AuthorizationRequest,
    { tenant, ...by }: { tenant: string; cookie: string; answered: TicketCheck; requestId: string },
  ): Promise<Result<{ next: "redirect"; location: string }>> {
    const principal = principalOf(by.cookie);
    if (principal === null) return fail("no-session");
    const settings = await this.#at.settings(tenant);
    const issued = await this.#at.principal(tenant, principal).issueCode({
      principal,
      request,
      settings,
      ...by,
    });
    // The principal's object has heard of it before this isolate.
    if (!issued.ok && issued.problem.code === "forbidden")
      return ok(this.#denied(this.#at.tenant(tenant), request));
    if (!issued.ok) return issued;
    const { redirectUri, state } = request;
    const { code } = issued.value;
    return ok({
      next: "redirect",
      location: redirect(this.#at.tenant(tenant), redirectUri, { code, state }),
    });
  }
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
