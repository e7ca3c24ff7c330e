/** As much of a browser as the edge's HTTP needs: hosts that do not resolve here, Origin, one cookie, a DPoP key. */

import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { createDpopKey, createProof, type DpopKey, thumbprint } from "#web/custodian/dpop.ts";

export type Answer = {
  status: number;
  headers: Record<string, string>;
  text: string;
  json: () => Record<string, unknown>;
};

type Init = { method?: string; headers?: Record<string, string>; body?: string | Uint8Array };

/** One request to an origin of the edge, dialled on loopback. */
export function send(url: string, { method = "GET", headers = {}, body }: Init = {}): Promise<Answer> {
  const { host, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const path = pathname + search;
    const outgoing = request(
      { host: "127.0.0.1", port, path, method, headers: { host, ...headers } },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const flat = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]);
          resolve({
            status: incoming.statusCode ?? 0,
            headers: Object.fromEntries(flat),
            text,
            json: () => JSON.parse(text) as Record<string, unknown>,
          });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

export type Tokens = { access_token: string; refresh_token: string; accounts: { id: string }[] } & Record<
  string,
  unknown
>;

/** A person's browser on one app. */
export class Browser {
  readonly app: string;
  readonly vault: string;
  cookie = "";
  key!: DpopKey;

  constructor({ appOrigin, vaultOrigin }: { appOrigin: string; vaultOrigin: string }) {
    this.app = appOrigin;
    this.vault = vaultOrigin;
  }

  /** The vault's cookie in development, with this value. */
  vaultCookie(value: string): string {
    return `coffer-${new URL(this.vault).port}=${value}`;
  }

  form(url: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
    const type = { "content-type": "application/x-www-form-urlencoded" };
    return send(url, {
      method: "POST",
      headers: { ...type, ...headers },
      body: new URLSearchParams(form).toString(),
    });
  }

  /** The query of an authorization request, for `verifier` and the key of this browser. */
  async query(verifier: string, change: Record<string, string> = {}): Promise<string> {
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
  async approve(query: string, headers: Record<string, string> = {}): Promise<Answer> {
    const ticket = await readTicket(await this.authorize(query));
    const own = { origin: this.vault, cookie: this.cookie };
    return this.form(`${this.vault}/authorize`, { continue: query, ticket }, { ...own, ...headers });
  }

  /** Signs in by name and takes the cookie. */
  async signIn(name: string, asked?: string): Promise<Answer> {
    const query = asked ?? (await this.query(newVerifier()));
    const answer = await this.form(
      `${this.vault}/sign-in`,
      { name, continue: query },
      { origin: this.vault },
    );
    this.cookie = answer.headers["set-cookie"]?.split(";")[0] ?? "";
    return answer;
  }

  async code(verifier: string, change: Record<string, string> = {}): Promise<string> {
    const { headers } = await this.approve(await this.query(verifier, change));
    return new URL(headers.location ?? "about:blank").searchParams.get("code") ?? "";
  }

  /** `POST /token` with a fresh proof, or the one given. */
  async token(form: Record<string, string>, proof?: string): Promise<Answer> {
    const url = `${this.app}/token`;
    const dpop = proof ?? (await createProof(this.key, { method: "POST", url }));
    return this.form(url, { client_id: this.app, ...form }, { dpop, origin: this.app });
  }

  exchange(
    code: string,
    verifier: string,
    change: Record<string, string> = {},
    proof?: string,
  ): Promise<Answer> {
    const grant = {
      grant_type: "authorization_code",
      code,
      code_verifier: verifier,
      redirect_uri: `${this.app}/`,
    };
    return this.token({ ...grant, ...change }, proof);
  }

  refresh(refreshToken: string): Promise<Answer> {
    return this.token({ grant_type: "refresh_token", refresh_token: refreshToken });
  }

  /** All of it. */
  async tokens(name: string): Promise<Tokens> {
    const verifier = newVerifier();
    const { headers } = await this.signIn(name, await this.query(verifier));
    const code = new URL(headers.location ?? "about:blank").searchParams.get("code") ?? "";
    const answer = await this.exchange(code, verifier);
    if (answer.status !== 200) throw new Error(`No tokens: ${answer.text}`);
    return answer.json() as Tokens;
  }

  /** A request with token and proof. */
  async rest(method: string, path: string, accessToken: string, json?: unknown): Promise<Answer> {
    const url = this.app + path;
    const headers = {
      authorization: `DPoP ${accessToken}`,
      dpop: await createProof(this.key, { method, url, accessToken }),
      ...(json !== undefined && { "content-type": "application/json" }),
    };
    return send(url, { method, headers, ...(json !== undefined && { body: JSON.stringify(json) }) });
  }
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
