/** What a page does at the edge, from Node: sign in by name, tokens bound to a DPoP key, REST with proofs. */

import { request } from "node:http";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { digest, type EcPublicJwk, jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";

export type Answer = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
};
type Send = { method?: string; headers?: Record<string, string>; body?: string | Uint8Array };

/** Sends to an origin below `*.localhost`, which Node cannot resolve. */
export function send(url: string, { method = "GET", headers = {}, body }: Send = {}): Promise<Answer> {
  const { host, port, pathname, search } = new URL(url);
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port,
        path: pathname + search,
        method,
        headers: { host, ...length, ...headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes: Buffer.concat(chunks),
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

export function json<T = Record<string, unknown>>({ bytes }: Answer): T {
  return JSON.parse(bytes.toString()) as T;
}

/** Status and problem code of an answer: what tests of refusals compare. */
export function problem(answer: Answer): string {
  return `${answer.status} ${json<{ code?: string }>(answer).code}`;
}

export type Tokens = {
  access_token: string;
  refresh_token: string;
  custodian: { dn: string; certificate: string };
  tenant: string;
  user: { id: string; name: string };
  accounts: { id: string; name: string }[];
};

/** One person signed in on one app's page. */
export class EdgeClient {
  readonly app: string;
  readonly vault: string;
  cookie = "";
  tokens!: Tokens;
  #key!: CryptoKeyPair;
  #jwk!: EcPublicJwk;

  constructor(origins: { appOrigin: string; vaultOrigin: string }) {
    this.app = origins.appOrigin;
    this.vault = origins.vaultOrigin;
  }

  /** Signs in on the vault's origin and gets tokens for the app. */
  static async signIn(
    origins: { appOrigin: string; vaultOrigin: string },
    name: string,
  ): Promise<EdgeClient> {
    const client = new EdgeClient(origins);
    await client.#makeKey();
    const verifier = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
    const query = new URLSearchParams({
      response_type: "code",
      client_id: client.app,
      redirect_uri: `${client.app}/`,
      code_challenge: await digest(verifier),
      code_challenge_method: "S256",
      dpop_jkt: await thumbprint(client.#jwk),
      state: "s",
    }).toString();
    const signedIn = await client.post(
      `${client.vault}/sign-in`,
      new URLSearchParams({ name, continue: query }),
    );
    client.cookie = String(signedIn.headers["set-cookie"]).split(";")[0]!;
    const code = new URL(String(signedIn.headers.location)).searchParams.get("code");
    if (!code) throw new Error(`no code: ${signedIn.status} ${signedIn.headers.location} ${signedIn.bytes}`);
    const url = `${client.app}/token`;
    const form = new URLSearchParams({
      grant_type: "authorization_code",
      client_id: client.app,
      redirect_uri: `${client.app}/`,
      code,
      code_verifier: verifier,
    });
    const answer = await client.post(url, form, { dpop: await client.#proof("POST", url) });
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.bytes}`);
    client.tokens = json<Tokens>(answer);
    return client;
  }

  /** Presents a refresh token at the token endpoint, whatever comes of it. */
  async refresh(token: string): Promise<Answer> {
    const url = `${this.app}/token`;
    const form = { grant_type: "refresh_token", client_id: this.app, refresh_token: token };
    return this.post(url, new URLSearchParams(form), { dpop: await this.#proof("POST", url) });
  }

  get account(): string {
    return this.tokens.accounts[0]!.id;
  }

  /** A request to the app's REST interface, with token and a fresh proof. Objects are sent as JSON. */
  async rest(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const url = this.app + path;
    const bytes =
      body === undefined ? { headers: {} } : body instanceof Uint8Array ? octets(body) : asJson(body);
    return send(url, {
      method,
      ...bytes,
      headers: { ...(await this.headers(method, path)), ...bytes.headers, ...headers },
    });
  }

  /** What authorizes one request to the app's REST interface. */
  async headers(method: string, path: string): Promise<Record<string, string>> {
    const token = this.tokens.access_token;
    return {
      authorization: `DPoP ${token}`,
      dpop: await this.#proof(method, this.app + path, await digest(token)),
      origin: this.app,
    };
  }

  /** A request to the vault's origin, with its cookie and Origin unless told otherwise. */
  vaultPost(path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
    const sent = asJson(body);
    return send(this.vault + path, {
      method: "POST",
      ...sent,
      headers: { ...sent.headers, cookie: this.cookie, origin: this.vault, ...headers },
    });
  }

  post(url: string, form: URLSearchParams, headers: Record<string, string> = {}): Promise<Answer> {
    return send(url, {
      method: "POST",
      body: form.toString(),
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        origin: new URL(url).origin,
        ...headers,
      },
    });
  }

  async #makeKey(): Promise<void> {
    this.#key = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
      "sign",
      "verify",
    ]);
    this.#jwk = jwkFromSpki(new Uint8Array(await crypto.subtle.exportKey("spki", this.#key.publicKey)));
  }

  /** DPoP proof (RFC 9449 §4.2). */
  async #proof(htm: string, url: string, ath?: string): Promise<string> {
    const { origin, pathname } = new URL(url);
    const payload = {
      jti: crypto.randomUUID(),
      htm,
      htu: origin + pathname,
      iat: Math.floor(Date.now() / 1000),
      ath,
    };
    const header = { typ: "dpop+jwt", alg: "ES256", jwk: this.#jwk };
    const input = [header, payload].map((part) => encodeBase64url(utf8(JSON.stringify(part)))).join(".");
    const algorithm = { name: "ECDSA", hash: "SHA-256" };
    const signature = await crypto.subtle.sign(algorithm, this.#key.privateKey, utf8(input));
    return `${input}.${encodeBase64url(new Uint8Array(signature))}`;
  }
}

function asJson(body: object) {
  return { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

function octets(body: Uint8Array) {
  return { body, headers: { "content-type": "application/octet-stream" } };
}
