import { WorkerEntrypoint } from "cloudflare:workers";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";
import { type Client, findClient } from "./clients.ts";
import { type AuthorizationRequest, readAuthorizationRequest } from "./codes.ts";
import { developmentSignIn } from "./development.ts";
import { personName } from "./name.ts";
import type { SignedIn } from "./sign-in.ts";
import type { TokenRequest, TokenResponse } from "./tokens.ts";
import type { AccountKey, Custodian, Session, TokenKey } from "./types.ts";

/** What `/authorize` is to do next. */
export type AuthorizeAnswer =
  | { next: "redirect"; location: string }
  /** Ask the person: `name` is who is signed in, `byName` whether anyone may sign in by a name alone. */
  | { next: "ask"; origin: string; name: string | null; byName: boolean };

/** The IAM's door. A deployment has one tenant so far; whatever names another is refused. */
export class Iam extends WorkerEntrypoint<Env> {
  /**
   * RFC 6749 §4.1.1: `query` is that of the request to `/authorize`. It issues nothing: whoever opens that address may
   * name a DPoP key of his own, so the person is asked first, session or not.
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
    return this.#ask(read.request, cookie);
  }

  /** The person said yes: a code for the session's user, or the question again if there is no session any more. */
  async approve(request: {
    query: string;
    cookie: string | null;
    requestId: string;
  }): Promise<Result<AuthorizeAnswer>> {
    const read = this.#read(request.query);
    if (!read.ok) return read.answer;
    const { cookie, requestId } = request;
    if (cookie === null) return this.#ask(read.request, null);
    const issued = await this.#issue(read.request, cookie, requestId);
    return issued.ok || issued.problem.code !== "no-session" ? issued : this.#ask(read.request, null);
  }

  /** Development only: signs in by name and approves the request in `query`, which the same form showed. */
  async signIn(request: {
    name: string;
    query: string;
    /** The one that the new one replaces. */
    cookie: string | null;
    requestId: string;
  }): Promise<Result<{ next: "redirect"; location: string; session: SignedIn | null }>> {
    const { query, cookie, requestId } = request;
    const read = this.#read(query);
    if (!read.ok) return read.answer.ok ? ok({ ...read.answer.value, session: null }) : read.answer;
    const name = personName(request.name);
    if (name === null) return fail("bad-request");
    const session = await this.#object.signIn({ name, cookie, requestId });
    if (!session.ok) return session;
    const issued = await this.#issue(read.request, session.value.cookie, requestId);
    return issued.ok ? ok({ ...issued.value, session: session.value }) : issued;
  }

  async signOut(request: { cookie: string; requestId: string }): Promise<Result<null>> {
    return this.#object.signOut(request);
  }

  /** Who the vault's cookie stands for. */
  async session({ cookie }: { cookie: string; requestId: string }): Promise<Result<Session>> {
    const session = await this.#object.session({ cookie });
    return session === null ? fail("no-session") : ok(session);
  }

  /** The gateway has verified the DPoP proof. */
  async token(request: TokenRequest): Promise<Result<TokenResponse>> {
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

  async #ask({ client }: AuthorizationRequest, cookie: string | null): Promise<Result<AuthorizeAnswer>> {
    const session = cookie === null ? null : await this.#object.session({ cookie });
    const byName = developmentSignIn(this.env).allowed;
    return ok({ next: "ask", origin: client.origin, name: session?.name ?? null, byName });
  }

  async #issue(
    request: AuthorizationRequest,
    cookie: string,
    requestId: string,
  ): Promise<Result<{ next: "redirect"; location: string }>> {
    const issued = await this.#object.issueCode({ request, cookie, requestId });
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
