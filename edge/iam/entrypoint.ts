import { WorkerEntrypoint } from "cloudflare:workers";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";
import { type Client, findClient } from "./clients.ts";
import { readAuthorizationRequest } from "./codes.ts";
import { developmentSignIn } from "./development.ts";
import { personName } from "./name.ts";
import type { SignedIn } from "./sign-in.ts";
import type { TokenRequest, TokenResponse } from "./tokens.ts";
import type { AccountKey, Custodian, Session, TokenKey } from "./types.ts";

/** What `/authorize` is to do next. */
export type AuthorizeAnswer =
  | { next: "redirect"; location: string }
  /** `signIn` is false where nobody may sign in by name alone. */
  | { next: "sign-in"; client: string; origin: string; signIn: boolean };

/** The IAM's door. A deployment has one tenant so far; whatever names another is refused. */
export class Iam extends WorkerEntrypoint<Env> {
  /** RFC 6749 §4.1.1: `query` is that of the request to `/authorize`. */
  async authorize(request: {
    query: string;
    cookie: string | null;
    requestId: string;
  }): Promise<Result<AuthorizeAnswer>> {
    const read = readAuthorizationRequest(new URLSearchParams(request.query), this.#find);
    if (!read.ok) {
      if (read.redirectUri === null) return fail("invalid-client");
      const { redirectUri, state, error } = read;
      return ok({ next: "redirect", location: this.#redirect(redirectUri, { error, state }) });
    }
    const { client, redirectUri, state } = read.request;
    const { cookie, requestId } = request;
    if (cookie !== null) {
      const issued = await this.#object.issueCode({ request: read.request, cookie, requestId });
      if (issued.ok) {
        return ok({
          next: "redirect",
          location: this.#redirect(redirectUri, { code: issued.value.code, state }),
        });
      }
      if (issued.problem.code !== "no-session") return issued;
    }
    const signIn = developmentSignIn(this.env).allowed;
    return ok({ next: "sign-in", client: client.id, origin: client.origin, signIn });
  }

  /** Development only: signs in by name. */
  async signIn({ name, requestId }: { name: string; requestId: string }): Promise<Result<SignedIn>> {
    const tidy = personName(name);
    if (tidy === null) return fail("bad-request");
    return this.#object.signIn({ name: tidy, requestId });
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
