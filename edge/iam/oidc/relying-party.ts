import { digest } from "#protocol/digest.ts";
import type { OidcSettings } from "../../oidc.ts";
import { ProviderError } from "./failure.ts";
import { groupsOfBits, type Person, personOf, takenUntil, verifyIdToken, verifyToken } from "./id-token.ts";
import type { Metadata } from "./metadata.ts";
import type { Providers } from "./provider.ts";
import {
  BACK_SECONDS,
  beginTransaction,
  type Leaving,
  MAX_QUERY,
  openTransaction,
  type Returned,
  type SignInSecrets,
  sealTransaction,
} from "./transaction.ts";

/** Who came back from the provider. By `transaction` they sign in once. */
export type Identified = Omit<Person, "groups" | "email"> & {
  transaction: string;
  /** The tenant's groups that the provider says they are in. */
  groups: string[];
  /** SHA-256 of the verified address, if that is one by which the deployment names an admin. */
  admin: string | null;
};

/** What a browser is given of a transaction, and where it goes. */
export type Leave = { location: string; transaction: string; maxAge: number };

const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";
const MAX_CODE = 4096;

export type RelyingPartyOptions = {
  settings: OidcSettings;
  /** In production: see `isEndpoint`. */
  strict: boolean;
  /** The client's, where it has one. */
  clientSecret: string | null;
  /** Addresses by which the deployment names admins. */
  adminEmails: readonly string[];
  redirectUri: string;
  providers: Providers;
  secrets: SignInSecrets;
  /** Seconds since 1970. */
  now: number;
};

/** A tenant's vault as a client of its provider. */
export class RelyingParty {
  readonly #options: RelyingPartyOptions;

  constructor(options: RelyingPartyOptions) {
    this.#options = options;
  }

  /**
   * Sends the browser to the provider, to come back to the authorization request `query`. With `another` the provider is to
   * ask, no matter who is signed in there. Null where the query is too long to come back with.
   */
  async leave(query: string, another: boolean): Promise<Leave | null> {
    const { settings, redirectUri, secrets, now } = this.#options;
    if (query.length > MAX_QUERY) return null;
    const { authorization } = await this.#metadata();
    const transaction = beginTransaction({ issuer: settings.issuer, query, now });
    const url = new URL(authorization);
    for (const [name, value] of Object.entries({
      response_type: "code",
      client_id: settings.clientId,
      redirect_uri: redirectUri,
      scope: settings.scope,
      state: transaction.state,
      nonce: transaction.nonce,
      code_challenge: await digest(transaction.verifier),
      code_challenge_method: "S256",
      ...(another && { prompt: "login" }),
    }))
      url.searchParams.set(name, value);
    const sealed = await sealTransaction(secrets, transaction);
    return { location: url.href, transaction: sealed, maxAge: transaction.until - now };
  }

  /** Whether the browser has something under way, and the provider's answer is to it. Throws `ProviderError` `stale`. */
  async expect(answer: URLSearchParams, sealed: string | null): Promise<Leaving> {
    const { settings, secrets, now } = this.#options;
    const transaction = await openTransaction(secrets, sealed, now);
    if (transaction?.step !== "leave" || transaction.issuer !== settings.issuer)
      throw new ProviderError("stale", "no sign-in is under way in this browser");
    if (one(answer, "state") !== transaction.state) throw new ProviderError("stale", "another state");
    return transaction;
  }

  /**
   * Takes the provider's answer to a sign-in: its code is redeemed and its ID token verified. What the browser is given
   * instead says who it is. Throws `ProviderError`.
   */
  async takeBack(answer: URLSearchParams, under: Leaving): Promise<{ transaction: string; maxAge: number }> {
    const { settings, secrets, now, providers, adminEmails } = this.#options;
    const metadata = await this.#metadata();
    const issuer = one(answer, "iss");
    // RFC 9207 §2.4: a response of another provider is none to this request, whatever else it has.
    if (issuer === null ? metadata.saysIssuer || answer.has("iss") : issuer !== settings.issuer)
      throw new ProviderError("invalid", "response: another issuer");
    if (answer.has("error")) throw new ProviderError("declined", `response: ${errorOf(answer)}`);
    const code = one(answer, "code");
    if (code === null || code.length > MAX_CODE) throw new ProviderError("invalid", "response: no code");
    const token = await this.#redeem(code, under, metadata);
    const keys = await providers.keys(settings, metadata);
    const { groups, email, ...person } = await verifyIdToken(
      token,
      { settings, metadata, keys, now },
      under.nonce,
    );
    const { id, query } = under;
    const until = now + BACK_SECONDS;
    const returned: Returned = {
      ...{ step: "back", id, query, until, ...person },
      ...(groups > 0 && { groups: { of: await this.#groupsDigest(), bits: groups } }),
      ...(email !== null && adminEmails.includes(email) && { admin: await digest(email) }),
    };
    return { transaction: await sealTransaction(secrets, returned), maxAge: BACK_SECONDS };
  }

  /** Who came back to this authorization request in this browser, if somebody did. */
  async identified(query: string, sealed: string | null): Promise<Identified | null> {
    const { secrets, now, settings } = this.#options;
    const transaction = await openTransaction(secrets, sealed, now);
    if (transaction?.step !== "back" || transaction.query !== query) return null;
    const { id, issuer, subject, name, groups, admin = null } = transaction;
    // The setting has changed since: its places are those of other groups.
    if (groups !== undefined && groups.of !== (await this.#groupsDigest())) return null;
    const named = groupsOfBits(groups?.bits ?? 0, settings);
    return { issuer, subject, name, transaction: id, groups: named, admin };
  }

  /** Of the groups that the setting names, in its order. */
  #groupsDigest(): Promise<string> {
    return digest(JSON.stringify(this.#options.settings.groups?.named ?? []));
  }

  /** Where to send a browser to sign out at the provider too, or null. RP-Initiated Logout 1.0 §2. */
  async logout(back: string): Promise<string | null> {
    const { logout } = await this.#metadata();
    if (logout === null) return null;
    const url = new URL(logout);
    url.searchParams.set("client_id", this.#options.settings.clientId);
    url.searchParams.set("post_logout_redirect_uri", back);
    return url.href;
  }

  /** Who has signed out at the provider (Back-Channel Logout 1.0 §2.6); good once, by `jti`. Throws `ProviderError` `invalid`. */
  async loggedOut(token: string): Promise<Person & { jti: string; until: number }> {
    const { settings, now, providers } = this.#options;
    const metadata = await this.#metadata();
    const keys = await providers.keys(settings, metadata);
    const payload = await verifyToken(token, { settings, metadata, keys, now });
    const { events, nonce, jti } = payload;
    const isLogout = typeof events === "object" && events !== null && Object.hasOwn(events, LOGOUT_EVENT);
    // With a nonce it is an ID token, of which others have copies.
    if (!isLogout || nonce !== undefined || typeof jti !== "string")
      throw new ProviderError("invalid", "no logout token");
    return { ...personOf(payload, settings), jti, until: takenUntil(payload) };
  }

  /** RFC 6749 §4.1.3, RFC 7636 §4.5. The ID token, still to be verified. */
  async #redeem(code: string, { verifier }: Leaving, metadata: Metadata): Promise<unknown> {
    const { settings, redirectUri, clientSecret, providers } = this.#options;
    const { clientId } = settings;
    if (settings.clientSecret !== null && clientSecret === null)
      throw new ProviderError("unavailable", `the secret ${settings.clientSecret} is not set`);
    const basic = clientSecret !== null && metadata.authentication === "client_secret_basic";
    const form = new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      ...(!basic && { client_id: clientId }),
      ...(!basic && clientSecret !== null && { client_secret: clientSecret }),
    });
    const { status, body } = await providers.ask(metadata.token, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        ...(basic && { authorization: `Basic ${btoa([clientId, clientSecret].map(formEncoded).join(":"))}` }),
      },
      body: form.toString(),
    });
    const answer = Object(body) as { id_token?: unknown; error?: unknown };
    if (status === 200) return answer.id_token;
    const told = typeof answer.error === "string" ? known(answer.error) : "no error";
    // The provider is there and does not take the code: used up, run out, or of somebody else.
    throw new ProviderError(told === "invalid_grant" ? "invalid" : "unavailable", `token endpoint: ${told}`);
  }

  #metadata(): Promise<Metadata> {
    const { providers, settings, strict } = this.#options;
    return providers.metadata(settings, strict);
  }
}

/** A parameter that is there once (RFC 6749 §3.1). */
function one(parameters: URLSearchParams, name: string): string | null {
  const [value, ...more] = parameters.getAll(name);
  return value === undefined || value === "" || more.length > 0 ? null : value;
}

function errorOf(answer: URLSearchParams): string {
  return known(one(answer, "error") ?? "");
}

/** For the log: an error that has the form of one (RFC 6749 §4.1.2.1), not what somebody would like to see there. */
function known(error: string): string {
  return /^[a-z_]{1,40}$/.test(error) ? error : "an error of no known form";
}

/** `application/x-www-form-urlencoded` (RFC 6749 §2.3.1). */
function formEncoded(text: string | null): string {
  return new URLSearchParams({ "": text ?? "" }).toString().slice(1);
}
