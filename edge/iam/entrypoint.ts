import { WorkerEntrypoint } from "cloudflare:workers";
import type { Tokens } from "#protocol/contract/index.ts";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";
import { type Client, findClient, registeredClients } from "./clients.ts";
import { type AuthorizationRequest, readAuthorizationRequest } from "./codes.ts";
import { developmentSignIn } from "./development.ts";
import { personName } from "./name.ts";
import type { SignedIn } from "./sign-in.ts";
import type { TicketCheck } from "./ticket.ts";
import type { TokenRequest } from "./tokens.ts";
import type { AccountKey, Custodian, TokenKey, VaultSession } from "./types.ts";

/** What `/authorize` is to do next. */
export type AuthorizeAnswer =
  | { next: "redirect"; location: string }
  /** Ask the person: `name` is who is signed in, `byName` whether anyone may sign in by a name alone. */
  | {
      next: "ask";
      origin: string;
      name: string | null;
      byName: boolean;
      /** Goes into the form and comes back with the answer. */
      ticket: string;
      /** Where the browser goes when the person declines. */
      declined: string;
      /** The answer did not count: it came too early, or too late. */
      again?: "early" | "late";
    };

/** What the vault's account page shows: who is signed in there, and in which apps (by origin). */
export type Account = { name: string; apps: string[]; ticket: string };

/** The IAM's door. A deployment has one tenant so far; whatever names another is refused. */
export class Iam extends WorkerEntrypoint<Env> {
  /**
   * RFC 6749 §4.1.1: `query` is that of the request to `/authorize`. It issues nothing: anyone who opens that address may
   * name a DPoP key of their own, so the user is asked first, session or not.
   */
  async authorize({
    query,
    cookie,
  }: {
    query: string;
    cookie: string | null;
  }): Promise<Result<AuthorizeAnswer>> {
    const read = this.#read(query);
    if (!read.ok) return read.answer;
    return this.#ask(read.request, { query, cookie });
  }

  /** The person said yes: a code for the session's user, or the question again if there is no session any more. */
  async approve(request: {
    query: string;
    cookie: string | null;
    /** That of the form. */
    ticket: string;
    requestId: string;
  }): Promise<Result<AuthorizeAnswer>> {
    const { query, cookie, ticket, requestId } = request;
    const read = this.#read(query);
    if (!read.ok) return read.answer;
    if (cookie === null) return this.#ask(read.request, { query, cookie });
    const answered = await this.#object.answered({ cookie, page: "sign-in", about: query, ticket });
    const issued = await this.#issue(read.request, { cookie, answered, requestId });
    if (issued.ok || !["no-session", "conflict"].includes(issued.problem.code)) return issued;
    return this.#ask(read.request, { query, cookie }, answered.ok ? undefined : answered.again);
  }

  /** Development only: signs in by name and approves the request in `query`, which the same form showed. */
  async signIn(request: {
    name: string;
    query: string;
    /** The one that the new one replaces. */
    cookie: string | null;
    /** That of the form; null for a program, which has no page on which a person could be tricked. */
    ticket: string | null;
    requestId: string;
  }): Promise<Result<AuthorizeAnswer & { session?: SignedIn }>> {
    const { query, cookie, ticket, requestId } = request;
    const read = this.#read(query);
    if (!read.ok) return read.answer;
    const asked = { cookie, page: "sign-in", about: query } as const;
    const answered =
      ticket === null ? ({ ok: true } as const) : await this.#object.answered({ ...asked, ticket });
    if (!answered.ok) return this.#ask(read.request, { query, cookie }, answered.again);
    const name = personName(request.name);
    if (name === null) return fail("bad-request");
    const session = await this.#object.signIn({ name, cookie, requestId });
    if (!session.ok) return session;
    const issued = await this.#issue(read.request, { cookie: session.value.cookie, answered, requestId });
    return issued.ok ? ok({ ...issued.value, session: session.value }) : issued;
  }

  /**
   * An app ends what was issued to it in this session (`app` is its origin), and nothing else; the vault, with null, ends
   * the session and all that was issued in it. Errors: `foreign-origin` for an unknown app.
   */
  async signOut(request: { cookie: string; app: string | null; requestId: string }): Promise<Result<null>> {
    const { cookie, app, requestId } = request;
    if (app === null) return this.#object.signOut({ cookie, client: null, requestId });
    const client = registeredClients(this.env).find(({ origin }) => origin === app);
    return client === undefined
      ? fail("foreign-origin")
      : this.#object.signOut({ cookie, client: client.id, requestId });
  }

  /** For the vault's account page; null when nobody is signed in. */
  async account({ cookie }: { cookie: string }): Promise<Result<Account | null>> {
    const { session, ticket, clients } = await this.#object.ask({ cookie, page: "account", about: "" });
    if (session === null) return ok(null);
    const apps = clients.map((id) => this.#find(id)?.origin).filter((origin) => origin !== undefined);
    return ok({ name: session.name, apps, ticket });
  }

  /** Signs out as the form of the account page asks; answers why not where its ticket does not hold. */
  async leave(request: {
    cookie: string;
    app: string | null;
    ticket: string;
    requestId: string;
  }): Promise<Result<{ again?: "early" | "late" }>> {
    const { ticket, ...rest } = request;
    const { cookie } = rest;
    const answered = await this.#object.answered({ cookie, page: "account", about: "", ticket });
    if (!answered.ok) return ok({ again: answered.again });
    const ended = await this.signOut(rest);
    return ended.ok ? ok({}) : ended;
  }

  /** Who the vault's cookie stands for. */
  async session({ cookie }: { cookie: string; requestId: string }): Promise<Result<VaultSession>> {
    const session = await this.#object.session({ cookie });
    return session === null ? fail("no-session") : ok(session);
  }

  /** The gateway has verified the DPoP proof. */
  async token(request: TokenRequest): Promise<Result<Tokens>> {
    return this.#object.token(request);
  }

  /** Keys that verify access tokens. */
  async keys(): Promise<Result<TokenKey[]>> {
    return this.#object.keys();
  }

  /** M5: the registered custodian with this name and DPoP key. */
  async custodian(wanted: { tenant: string; dn: string; jkt: string }): Promise<Result<Custodian>> {
    if (wanted.tenant !== this.env.COFFER_TENANT) return fail("foreign-custodian");
    return this.#object.custodian(wanted);
  }

  /** W11: the account's current key, encrypted under the master key; made at the first request. */
  async accountKey(wanted: { tenant: string; account: string; caller: Caller }): Promise<Result<AccountKey>> {
    if (wanted.tenant !== this.env.COFFER_TENANT) return fail("forbidden");
    return this.#object.accountKey(wanted);
  }

  get #object() {
    return this.env.IAM_OBJECT.getByName(this.env.COFFER_TENANT);
  }

  /** The request in `query`, or what to answer instead. */
  #read(
    query: string,
  ):
    | { ok: true; request: AuthorizationRequest }
    | { ok: false; answer: Result<{ next: "redirect"; location: string }> } {
    const read = readAuthorizationRequest(new URLSearchParams(query), this.#find);
    if (read.ok) return read;
    if (read.redirectUri === null) return { ok: false, answer: fail("invalid-client") };
    const { redirectUri, state, error } = read;
    const location = this.#redirect(redirectUri, { error, state });
    return { ok: false, answer: ok({ next: "redirect", location }) };
  }

  async #ask(
    { client, redirectUri, state }: AuthorizationRequest,
    { query, cookie }: { query: string; cookie: string | null },
    again?: "early" | "late",
  ): Promise<Result<AuthorizeAnswer>> {
    const { session, ticket } = await this.#object.ask({ cookie, page: "sign-in", about: query });
    return ok({
      next: "ask",
      origin: client.origin,
      name: session?.name ?? null,
      byName: developmentSignIn(this.env).allowed,
      ticket,
      declined: this.#redirect(redirectUri, { error: "access_denied", state }),
      ...(again !== undefined && { again }),
    });
  }

  async #issue(
    request: AuthorizationRequest,
    by: { cookie: string; answered: TicketCheck; requestId: string },
  ): Promise<Result<{ next: "redirect"; location: string }>> {
    const issued = await this.#object.issueCode({ request, ...by });
    if (!issued.ok) return issued;
    const { redirectUri, state } = request;
    return ok({
      next: "redirect",
      location: this.#redirect(redirectUri, { code: issued.value.code, state }),
    });
  }

  readonly #find = (id: string): Client | undefined => findClient(this.env, id);

  /** RFC 6749 §4.1.2 with the issuer of RFC 9207. */
  #redirect(
    redirectUri: string,
    parameters: { code?: string; error?: string; state: string | null },
  ): string {
    const url = new URL(redirectUri);
    const { code, error, state } = parameters;
    if (code !== undefined) url.searchParams.set("code", code);
    if (error !== undefined) url.searchParams.set("error", error);
    if (state !== null) url.searchParams.set("state", state);
    url.searchParams.set("iss", this.env.COFFER_VAULT_ORIGIN);
    return url.href;
  }
}
