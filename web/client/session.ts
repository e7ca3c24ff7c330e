/**
 * Signing in: OAuth 2.0 authorization code with PKCE (RFC 7636) and DPoP (RFC 9449) against the vault's origin, and
 * refresh tokens that are used once. The page never sees a password or the vault's cookie.
 */

import { jsonAnswer } from "#protocol/answer.ts";
// By its file: a page that is not signed in loads no other route.
import type { BodyOf } from "#protocol/contract/route.ts";
import { type Tokens, token as tokenRoute } from "#protocol/contract/token.ts";
import { CofferError, type ErrorCode } from "#protocol/error.ts";
import { thumbprint } from "#protocol/jwk.ts";
import { type Delay, delay, Patience, type WaitListener } from "#protocol/patience.ts";
import { createDpopKey, createProof, isDpopKey, signWith } from "./dpop.ts";
import type { CertifiedKey } from "./mutual.ts";
import { challengeFor, createVerifier } from "./pkce.ts";
import { errorFrom } from "./problem.ts";
import type { Account, Identity, SignIn, SignInStore } from "./sign-in.ts";

/**
 * Renewed this long before the end, so that a token does not die on its way, and never before half of its life: at the end
 * of a sign-in tokens are short. Milliseconds.
 */
const MARGIN = 30_000;

/** What a token endpoint says when a refresh token will never work again. */
const ENDED: ReadonlySet<ErrorCode> = new Set(["signed-out", "invalid-grant", "invalid-client"]);

type WithoutClient<Form> = Form extends unknown ? Omit<Form, "client_id"> : never;
/** What tokens are asked for with. */
type Grant = WithoutClient<BodyOf<typeof tokenRoute>>;

/** Does the work when nobody else does work of this name on the same sign-in. */
export type Lock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** What a session needs of its surroundings. */
export interface SessionOptions {
  /** Origin of the authorization server: the vault. */
  vault: string;
  /** Origin of the token endpoint and the resources: the app's own. */
  app: string;
  /** OAuth client identifier. Default: the app's origin, as the IAM registers apps. */
  client?: string | undefined;
  /** Where the vault sends the browser back to. Default: the root of the app's origin. */
  redirectUri?: string | undefined;
  store: SignInStore;
  fetch: typeof fetch;
  now: () => number;
  /** One refresh at a time over all tabs. */
  lock: Lock;
  /** Default: by the clock. */
  delay?: Delay;
  onWait?: WaitListener | undefined;
}

/** What a custodian needs of whoever gets it tokens. */
export type Session = Pick<
  CustodianSession,
  "identity" | "authorize" | "certifiedKey" | "learn" | "learnAccounts"
>;

/** The sign-in of this browser: none, under way, or complete. */
export class CustodianSession {
  readonly #options: SessionOptions;
  #signIn: SignIn | undefined;
  #nonce: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Who is signed in, as far as known; call `restore` first. */
  get identity(): Identity | undefined {
    return this.#signIn?.identity;
  }

  /** Reads the sign-in that an earlier page load or another tab left. */
  async restore(): Promise<Identity | undefined> {
    this.#signIn = await this.#stored();
    return this.identity;
  }

  /** Where to send the browser to sign in. Makes the DPoP key that the tokens will be bound to. */
  async authorizationUrl(): Promise<string> {
    const { app, vault, client = app, redirectUri = `${app}/`, store, now } = this.#options;
    const [key, verifier, state] = [await createDpopKey(), createVerifier(), createVerifier()];
    await store.begin({ state, verifier, key, redirectUri, created: now() });
    const url = new URL("/authorize", vault);
    url.search = new URLSearchParams({
      response_type: "code",
      client_id: client,
      redirect_uri: redirectUri,
      state,
      code_challenge: await challengeFor(verifier),
      code_challenge_method: "S256",
      dpop_jkt: await thumbprint(key.jwk),
    }).toString();
    return url.href;
  }

  /**
   * Takes the answer out of a redirect's query. Errors: `sign-in-mismatch` for a state that this browser did not make, for
   * an answer that does not name this vault as its issuer (RFC 9207 §2.4), or for a key that is not as this code makes
   * them; `sign-in-refused` when the vault said no.
   */
  async complete(query: URLSearchParams): Promise<Identity> {
    const pending = await this.#options.store.take(query.get("state") ?? "");
    if (!pending || query.get("iss") !== this.#options.vault || !isDpopKey(pending.key)) {
      throw new CofferError("sign-in-mismatch");
    }
    const code = query.get("code");
    if (!code) throw new CofferError("sign-in-refused", { cause: query.get("error") });
    const { verifier, key, redirectUri } = pending;
    this.#signIn = await this.#token(key, {
      grant_type: "authorization_code",
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri,
    });
    return this.#signIn.identity;
  }

  /** Forgets the sign-in in this browser. The tokens die of age; the key is gone at once. */
  async forget(): Promise<void> {
    this.#signIn = undefined;
    await this.#options.store.clear(this.#options.vault);
  }

  /**
   * Headers that authorize one request. `renew` asks for a token other than the last one, after the server refused that.
   * Errors: `signed-out`, `offline`.
   */
  async authorize(method: string, url: string, renew = false): Promise<Record<string, string>> {
    const { key, accessToken } = await this.#fresh(renew);
    const proof = await createProof(
      key,
      { method, url, accessToken, nonce: this.#nonce },
      this.#options.now(),
    );
    return { authorization: `DPoP ${accessToken}`, dpop: proof };
  }

  /**
   * The custodian's certified key, for a proof to its microservice (M14). Errors: `signed-out`, and `offline` where the sign-in is of an
   * earlier release and has to be renewed first.
   */
  async certifiedKey(): Promise<CertifiedKey> {
    const known = this.#signIn?.identity.custodian.chain ? this.#signIn : await this.#fresh(true);
    const { key, identity } = known;
    const { dn, certificate, chain = [] } = identity.custodian;
    return { dn, certificate, chain, sign: (bytes) => signWith(key, bytes) };
  }

  /** Remembers which accounts the user has, as the edge has just told. */
  async learnAccounts(accounts: Account[]): Promise<void> {
    const signIn = await this.#stored();
    if (signIn === undefined) return;
    this.#signIn = { ...signIn, identity: { ...signIn.identity, accounts } };
    await this.#options.store.write(this.#options.vault, this.#signIn);
  }

  /** Remembers the nonce that a server asks for (RFC 9449 §8.2); tells whether it is a new one. */
  learn(response: Response): boolean {
    const nonce = response.headers.get("dpop-nonce");
    if (nonce === null || nonce === this.#nonce) return false;
    this.#nonce = nonce;
    return true;
  }

  /** The stored sign-in. One whose key is not as this code makes them does not count, and goes. */
  async #stored(): Promise<SignIn | undefined> {
    const { store, vault } = this.#options;
    const signIn = await store.read(vault);
    if (!signIn || isDpopKey(signIn.key)) return signIn;
    await store.clear(vault);
    return undefined;
  }

  async #fresh(renew: boolean): Promise<SignIn> {
    const { now, vault, lock } = this.#options;
    const usable = (signIn: SignIn | undefined): signIn is SignIn =>
      signIn !== undefined && now() < (signIn.renew ?? signIn.expires - MARGIN);
    if (!renew && usable(this.#signIn)) return this.#signIn;
    const refused = renew ? this.#signIn?.accessToken : undefined;
    return lock(`coffer-token ${vault}`, async () => {
      // Another tab may have renewed while this one waited: a refresh token works once, and again if its answer was lost.
      const stored = await this.#stored();
      if (!stored) {
        this.#signIn = undefined;
        throw new CofferError("signed-out");
      }
      this.#signIn = stored;
      if (usable(stored) && stored.accessToken !== refused) return stored;
      try {
        const { key, refreshToken } = stored;
        this.#signIn = await this.#token(key, { grant_type: "refresh_token", refresh_token: refreshToken });
        return this.#signIn;
      } catch (error) {
        // A server that is down or a clock that is wrong is no reason to throw a sign-in away.
        if (!(error instanceof CofferError) || !ENDED.has(error.code)) throw error;
        await this.forget();
        throw new CofferError("signed-out", {
          cause: error,
          status: error.status,
          requestId: error.requestId,
        });
      }
    });
  }

  async #token(key: SignIn["key"], grant: Grant): Promise<SignIn> {
    const { app, client = app, fetch, now, store, vault, onWait } = this.#options;
    const { path, method, answer } = tokenRoute;
    const url = new URL(path, app).href;
    const patience = new Patience();
    // A refresh is answered again with the same next token; a code is used up.
    const repeatable = grant.grant_type === "refresh_token";
    for (let renonces = 0; ; ) {
      const proof = await createProof(key, { method, url, nonce: this.#nonce }, now());
      const response = await fetch(url, {
        method,
        headers: { dpop: proof, accept: "application/json" },
        body: new URLSearchParams({ client_id: client, ...grant }),
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
      }).catch((cause: unknown) => {
        throw new CofferError("offline", { cause });
      });
      const renonced = this.learn(response);
      if (response.ok) {
        const token = await jsonAnswer(
          answer.status,
          answer.json,
        )(response).catch((cause: unknown) => {
          throw cause instanceof CofferError ? cause : new CofferError("offline", { cause });
        });
        const signIn = { key, ...signInOf(token, now()) };
        await store.write(vault, signIn);
        return signIn;
      }
      const wait = patience.after(response, repeatable, now());
      if (wait === undefined && (!renonced || renonces++ > 0)) throw await errorFrom(response, now());
      await response.body?.cancel();
      if (wait === undefined) continue;
      // The next proof is made after the wait: it lives for a minute only.
      onWait?.(wait);
      await (this.#options.delay ?? delay)(wait);
    }
  }
}

function signInOf(token: Tokens, now: number): Omit<SignIn, "key"> {
  const { tenant, user, accounts, custodian } = token;
  const life = token.expires_in * 1000;
  return {
    accessToken: token.access_token,
    expires: now + life,
    renew: now + Math.max(life - MARGIN, life / 2),
    refreshToken: token.refresh_token,
    identity: { tenant, user, accounts, custodian },
  };
}
