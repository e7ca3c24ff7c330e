/** A person's browser on one app, as far as the edge sees it: sign-in step by step, REST with token and proof. */

import { createHash, randomBytes } from "node:crypto";
import type { Tokens } from "#protocol/contract/index.ts";
import { thumbprint } from "#protocol/keys/index.ts";
import { createDpopKey, createProof, type DpopKey, signWith } from "#web/client/dpop.ts";
import type { CertifiedKey } from "#web/client/mutual.ts";
import { type Answer, json, send } from "./http.ts";

export type { Tokens };

type Fields = Record<string, string>;

export class EdgeClient {
  readonly app: string;
  readonly vault: string;
  /** Of the vault, once somebody has signed in. */
  cookie = "";
  key!: DpopKey;
  tokens!: Tokens;

  constructor({ appOrigin, vaultOrigin }: { appOrigin: string; vaultOrigin: string }) {
    this.app = appOrigin;
    this.vault = vaultOrigin;
  }

  /** Signed in at the vault, with tokens for the app. */
  static async signedIn(
    origins: { appOrigin: string; vaultOrigin: string },
    name: string,
  ): Promise<EdgeClient> {
    const client = new EdgeClient(origins);
    const verifier = newVerifier();
    await client.take(await client.signIn(name, await client.query(verifier)), verifier);
    return client;
  }

  get account(): string {
    return this.tokens.accounts[0]!.id;
  }

  /** Path of the account's documents. */
  get documents(): string {
    return `/accounts/${this.account}/documents`;
  }

  /** The vault's cookie in development, with this value. */
  vaultCookie(value: string): string {
    return `coffer-${new URL(this.vault).port}=${value}`;
  }

  form(url: string, form: Fields, headers: Fields = {}): Promise<Answer> {
    const type = { "content-type": "application/x-www-form-urlencoded" };
    return send(url, {
      method: "POST",
      headers: { ...type, ...headers },
      body: new URLSearchParams(form).toString(),
    });
  }

  /** The query of an authorization request, for `verifier` and the key of this browser. */
  async query(verifier: string, change: Fields = {}): Promise<string> {
    this.key ??= await createDpopKey();
    return new URLSearchParams({
      response_type: "code",
      client_id: this.app,
      redirect_uri: `${this.app}/`,
      state: "state",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      dpop_jkt: await thumbprint(this.key.jwk),
      ...change,
    }).toString();
  }

  authorize(query: string): Promise<Answer> {
    return send(`${this.vault}/authorize?${query}`, { headers: { cookie: this.cookie } });
  }

  /** Reads the page that `authorize` shows, and presses "Continue as …". */
  async approve(query: string, headers: Fields = {}): Promise<Answer> {
    const ticket = await readTicket(await this.authorize(query));
    const own = { origin: this.vault, cookie: this.cookie };
    return this.form(`${this.vault}/authorize`, { continue: query, ticket }, { ...own, ...headers });
  }

  /** Leaves for the provider: where to, and the cookie of the sign-in under way. */
  async leave(query: string): Promise<{ provider: URL; transaction: string }> {
    const left = await send(`${this.vault}/authorize?${query}`);
    return { provider: redirectOf(left), transaction: cookieOf(left) };
  }

  /** Types a name at the provider: where that leads, with its answer. */
  async type(name: string, provider: URL): Promise<URL> {
    const request = provider.search.slice(1);
    return redirectOf(await this.form(new URL("/authorize", provider).href, { request, name }));
  }

  /** Goes to the provider and comes back under a name: the cookie by which the vault knows who is to be asked. */
  async identify(name: string, query: string): Promise<string> {
    const { provider, transaction } = await this.leave(query);
    const back = await this.type(name, provider);
    return cookieOf(await send(back.href, { headers: { cookie: transaction } }));
  }

  /** Answers the question to who has come back from the provider: as a program does, unless there is a ticket. */
  enter(query: string, transaction: string, form: Fields = {}, headers: Fields = {}): Promise<Answer> {
    const own = { origin: this.vault, cookie: transaction };
    return this.form(`${this.vault}/sign-in`, { continue: query, ...form }, { ...own, ...headers });
  }

  /** Signs in under a name and takes the cookie. */
  async signIn(name: string, asked?: string): Promise<Answer> {
    const query = asked ?? (await this.query(newVerifier()));
    const answer = await this.enter(query, await this.identify(name, query));
    this.cookie = cookieOf(answer);
    return answer;
  }

  async code(verifier: string, change: Fields = {}): Promise<string> {
    return codeOf(await this.approve(await this.query(verifier, change)));
  }

  /** Takes tokens for the code that an answer redirects with. */
  async take(redirect: Answer, verifier: string): Promise<void> {
    const answer = await this.exchange(codeOf(redirect), verifier);
    if (answer.status !== 200) throw new Error(`No tokens: ${answer.status} ${answer.text}`);
    this.tokens = json<Tokens>(answer);
  }

  /** `POST /token` with a fresh proof, or the one given. */
  async token(form: Fields, proof?: string): Promise<Answer> {
    const url = `${this.app}/token`;
    const dpop = proof ?? (await createProof(this.key, { method: "POST", url }));
    return this.form(url, { client_id: this.app, ...form }, { dpop, origin: this.app });
  }

  exchange(code: string, verifier: string, change: Fields = {}, proof?: string): Promise<Answer> {
    const grant = {
      grant_type: "authorization_code",
      code,
      code_verifier: verifier,
      redirect_uri: `${this.app}/`,
    };
    return this.token({ ...grant, ...change }, proof);
  }

  /** Presents a refresh token, whatever comes of it. */
  refresh(refreshToken: string): Promise<Answer> {
    return this.token({ grant_type: "refresh_token", refresh_token: refreshToken });
  }

  /** A request to the app's REST interface, with token and a fresh proof. Objects are sent as JSON. */
  async rest(method: string, path: string, body?: object, headers: Fields = {}): Promise<Answer> {
    const own = { ...(await this.headers(method, path)), ...contentType(body), ...headers };
    return send(this.app + path, { method, headers: own, ...encoded(body) });
  }

  /** The key of this browser, certified as the custodian's. */
  get certifiedKey(): CertifiedKey {
    const { dn, certificate, chain = [] } = this.tokens.custodian;
    return { dn, certificate, chain, sign: (bytes) => signWith(this.key, bytes) };
  }

  /** What authorizes one request to the app's REST interface. */
  async headers(method: string, path: string): Promise<Fields> {
    const accessToken = this.tokens.access_token;
    return {
      authorization: `DPoP ${accessToken}`,
      dpop: await createProof(this.key, { method, url: this.app + path, accessToken }),
      origin: this.app,
    };
  }

  /** JSON to the vault's origin, with its cookie and Origin unless told otherwise. */
  vaultPost(path: string, body: object, headers: Fields = {}): Promise<Answer> {
    const own = { ...contentType(body), cookie: this.cookie, origin: this.vault, ...headers };
    return send(this.vault + path, { method: "POST", headers: own, ...encoded(body) });
  }
}

function contentType(body?: object): Fields {
  if (body === undefined) return {};
  return { "content-type": `application/${body instanceof Uint8Array ? "octet-stream" : "json"}` };
}

function encoded(body?: object) {
  if (body === undefined) return {};
  return { body: body instanceof Uint8Array ? body : JSON.stringify(body) };
}

function codeOf({ headers }: Answer): string {
  return new URL(headers.location ?? "about:blank").searchParams.get("code") ?? "";
}

function redirectOf(answer: Answer): URL {
  const { location } = answer.headers;
  if (location === undefined) throw new Error(`No redirect: ${answer.status} ${answer.text}`);
  return new URL(location);
}

/** The first cookie that an answer sets; empty where it sets none. */
export function cookieOf({ headers }: Answer): string {
  return headers["set-cookie"]?.split(";")[0] ?? "";
}

/** The ticket in the form of one of the vault's pages, once a person could have read the page. */
export async function readTicket({ text }: Answer): Promise<string> {
  const ticket = ticketOf(text);
  await new Promise((resolve) =>
    setTimeout(resolve, Math.max(0, Number.parseInt(ticket, 10) + 1050 - Date.now())),
  );
  return ticket;
}

export function ticketOf(text: string): string {
  return / name="ticket" value="([^"]*)"/.exec(text)?.[1] ?? "";
}

export function newVerifier(): string {
  return randomBytes(32).toString("base64url");
}
