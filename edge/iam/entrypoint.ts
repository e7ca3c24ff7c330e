import { WorkerEntrypoint } from "cloudflare:workers";
import type { Tokens } from "#protocol/contract/index.ts";
import type { Caller } from "../caller.ts";
import { developmentSignIn } from "../development.ts";
import { fail, ok, type Result } from "../result.ts";
import { type Tenant, tenantNamed } from "../tenants.ts";
import { findClient } from "./clients.ts";
import { type AuthorizationRequest, readAuthorizationRequest } from "./codes.ts";
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

/** `query` is that of the request to `/authorize`, `cookie` the vault's. */
type Asked = { tenant: string; query: string; cookie: string | null };

/** What the vault's account page shows: who is signed in there, and in which apps (by origin). */
export type Account = { name: string; apps: string[]; ticket: string };

/** The IAM's door. The gateway says whose a request is, by its host; each tenant has an object of its own. */
export class Iam extends WorkerEntrypoint<Env> {
  /**
   * RFC 6749 §4.1.1. It issues nothing: anyone who opens that address may name a DPoP key of their own, so the user is asked
   * first, session or not.
   */
  async authorize(asked: Asked): Promise<Result<AuthorizeAnswer>> {
    const read = this.#read(asked);
    if (!read.ok) return read.answer;
    return this.#ask(read.request, asked);
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
    const read = this.#read(request);
    if (!read.ok) return read.answer;
    if (cookie === null) return this.#ask(read.request, request);
    const answered = await this.#object(tenant).answered({ cookie, page: "sign-in", about: query, ticket });
    const issued = await this.#issue(read.request, { tenant, cookie, answered, requestId });
    if (issued.ok || !["no-session", "conflict"].includes(issued.problem.code)) return issued;
    return this.#ask(read.request, request, answered.ok ? undefined : answered.again);
  }

  /** Development only: signs in by name and approves the request in `query`, which the same form showed. */
  async signIn(
    request: Asked & {
      name: string;
      /** That of the form; null for a program, which has no page on which a person could be tricked. */
      ticket: string | null;
      requestId: string;
    },
  ): Promise<Result<AuthorizeAnswer & { session?: SignedIn }>> {
    const { tenant, query, cookie, ticket, requestId } = request;
    const read = this.#read(request);
    if (!read.ok) return read.answer;
    const object = this.#object(tenant);
    const asked = { cookie, page: "sign-in", about: query } as const;
    const answered = ticket === null ? ({ ok: true } as const) : await object.answered({ ...asked, ticket });
    if (!answered.ok) return this.#ask(read.request, request, answered.again);
    const name = personName(request.name);
    if (name === null) return fail("bad-request");
    // The new session replaces that of the cookie.
    const session = await object.signIn({ name, cookie, requestId });
    if (!session.ok) return session;
    const by = { tenant, cookie: session.value.cookie, answered, requestId };
    const issued = await this.#issue(read.request, by);
    return issued.ok ? ok({ ...issued.value, session: session.value }) : issued;
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
    const object = this.#object(tenant);
    if (app === null) return object.signOut({ cookie, client: null, requestId });
    const client = this.#tenant(tenant).apps.find(({ origin }) => origin === app);
    return client === undefined
      ? fail("foreign-origin")
      : object.signOut({ cookie, client: client.id, requestId });
  }

  /** For the vault's account page; null when nobody is signed in. */
  async account({ tenant, cookie }: { tenant: string; cookie: string }): Promise<Result<Account | null>> {
    const asked = { cookie, page: "account", about: "" } as const;
    const { session, ticket, clients } = await this.#object(tenant).ask(asked);
    if (session === null) return ok(null);
    const apps = clients
      .map((id) => findClient(this.#tenant(tenant), id)?.origin)
      .filter((origin) => origin !== undefined);
    return ok({ name: session.name, apps, ticket });
  }

  /** Signs out as the form of the account page asks; answers why not where its ticket does not hold. */
  async leave(request: {
    tenant: string;
    cookie: string;
    app: string | null;
    ticket: string;
    requestId: string;
  }): Promise<Result<{ again?: "early" | "late" }>> {
    const { ticket, ...rest } = request;
    const { tenant, cookie } = rest;
    const asked = { cookie, page: "account", about: "" } as const;
    const answered = await this.#object(tenant).answered({ ...asked, ticket });
    if (!answered.ok) return ok({ again: answered.again });
    const ended = await this.signOut(rest);
    return ended.ok ? ok({}) : ended;
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
    const session = await this.#object(tenant).session({ cookie });
    return session === null ? fail("no-session") : ok(session);
  }

  /** The gateway has verified the DPoP proof. */
  async token({ tenant, ...request }: TokenRequest & { tenant: string }): Promise<Result<Tokens>> {
    return this.#object(tenant).token(request);
  }

  /** Keys that verify access tokens: the deployment's, whichever tenant asks. */
  async keys({ tenant }: { tenant: string }): Promise<Result<TokenKey[]>> {
    return this.#object(tenant).keys();
  }

  /** M5: the registered custodian with this name and DPoP key. */
  async custodian(wanted: { tenant: string; dn: string; jkt: string }): Promise<Result<Custodian>> {
    return this.#object(wanted.tenant).custodian(wanted);
  }

  /** Whether the caller's sign-in lives and the user is a member of this account, which lives. Errors: `invalid-token`, `forbidden`. */
  async member(wanted: { tenant: string; account: string; caller: Caller }): Promise<Result<null>> {
    return this.#object(wanted.tenant).member(wanted);
  }

  /** W11: the account's current key, encrypted under the master key; made at the first request. */
  async accountKey(wanted: { tenant: string; account: string; caller: Caller }): Promise<Result<AccountKey>> {
    return this.#object(wanted.tenant).accountKey(wanted);
  }

  #tenant(name: string): Tenant {
    return tenantNamed(this.env, name);
  }

  /** None for a name that is in no table. */
  #object(tenant: string) {
    return this.env.IAM_OBJECT.getByName(this.#tenant(tenant).name);
  }

  /** The request in `query`, or what to answer instead. */
  #read({
    tenant: name,
    query,
  }: Asked):
    | { ok: true; request: AuthorizationRequest }
    | { ok: false; answer: Result<{ next: "redirect"; location: string }> } {
    const tenant = this.#tenant(name);
    const read = readAuthorizationRequest(new URLSearchParams(query), (id) => findClient(tenant, id));
    if (read.ok) return read;
    if (read.redirectUri === null) return { ok: false, answer: fail("invalid-client") };
    const { redirectUri, state, error } = read;
    const location = redirect(tenant, redirectUri, { error, state });
    return { ok: false, answer: ok({ next: "redirect", location }) };
  }

  async #ask(
    { client, redirectUri, state }: AuthorizationRequest,
    { tenant, query, cookie }: Asked,
    again?: "early" | "late",
  ): Promise<Result<AuthorizeAnswer>> {
    const asked = { cookie, page: "sign-in", about: query } as const;
    const { session, ticket } = await this.#object(tenant).ask(asked);
    return ok({
      next: "ask",
      origin: client.origin,
      name: session?.name ?? null,
      byName: developmentSignIn(this.env).allowed,
      ticket,
      declined: redirect(this.#tenant(tenant), redirectUri, { error: "access_denied", state }),
      ...(again !== undefined && { again }),
    });
  }

  async #issue(
    request: AuthorizationRequest,
    { tenant, ...by }: { tenant: string; cookie: string; answered: TicketCheck; requestId: string },
  ): Promise<Result<{ next: "redirect"; location: string }>> {
    const issued = await this.#object(tenant).issueCode({ request, ...by });
    if (!issued.ok) return issued;
    const { redirectUri, state } = request;
    const { code } = issued.value;
    return ok({ next: "redirect", location: redirect(this.#tenant(tenant), redirectUri, { code, state }) });
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
