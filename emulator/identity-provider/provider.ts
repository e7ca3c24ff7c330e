import { createHash, randomBytes, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { seconds } from "#protocol/clock.ts";
import { personName } from "#protocol/person-name.ts";
import { type Answer, COMMON, end, listen, NOT_SERVED, page, readForm, stylesheet } from "../pages/index.ts";
import { type AuthenticationRequest, readAuthenticationRequest } from "./authentication-request.ts";
import type { Bend } from "./bend.ts";
import type { Client } from "./client.ts";
import { Codes, type Granted } from "./codes.ts";
import { ALGORITHMS, type Rotation, SigningKeys } from "./keys.ts";
import { namePage, sentencePage, style } from "./page.ts";
import { clientOf } from "./token-request.ts";

export type IdentityProvider = {
  /** `http://HOST:PORT`. */
  issuer: string;
  port: number;
  /** What it does otherwise than specified from now on; `{}` for nothing. */
  bend(bend: Bend): void;
  /** Signs with another key from now on. */
  rotate(rotation?: Rotation): void;
  /** A logout token for a person (OpenID Connect Back-Channel Logout 1.0 §2.4). */
  logoutToken(of: { client: string; name: string }, bend?: Bend): string;
  /** How often each path was asked for. */
  asked(path: string): number;
  close(): Promise<void>;
};

const ADDRESSES = { "127.0.0.1": ["127.0.0.1"], localhost: ["127.0.0.1", "::1"] } as const;
/** The system has no IPv6. */
const NO_ADDRESS = ["EADDRNOTAVAIL", "EAFNOSUPPORT", "EPROTONOSUPPORT"];
const MAX_BODY = 16 * 1024;
const ID_TOKEN_SECONDS = 300;
const LOGOUT = "http://schemas.openid.net/event/backchannel-logout";

/** Serves until it is closed. Rejects where the port is taken. */
export async function startIdentityProvider(options: {
  /** 0 for any that is free. */
  port: number;
  /** Of its address: by the one name where the app is on the other, it is another site, as a provider is in production. */
  host?: "127.0.0.1" | "localhost";
  clients: Client[];
}): Promise<IdentityProvider> {
  const { clients, host = "127.0.0.1" } = options;
  const keys = new SigningKeys();
  const codes = new Codes(Date.now);
  const asked = new Map<string, number>();
  let bend: Bend = {};
  let issuer = "";

  async function answer(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? "/", issuer);
    asked.set(url.pathname, (asked.get(url.pathname) ?? 0) + 1);
    if (request.headers.host !== new URL(issuer).host) return page(421, sentencePage(...NOT_SERVED));
    switch (`${request.method} ${url.pathname}`) {
      case "GET /.well-known/openid-configuration":
        return json(200, metadata());
      case "GET /jwks":
        return json(200, keys.jwks());
      case "GET /style.css":
        return stylesheet(style);
      case "GET /authorize":
        return authorize(url.searchParams);
      case "POST /authorize":
        return authenticate(request);
      case "POST /token":
        return token(request);
      case "GET /logout":
        return logout(url.searchParams);
      default:
        return page(404, sentencePage("Not found", "There is nothing here."));
    }
  }

  function metadata(): Record<string, unknown> {
    const discovered = {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      end_session_endpoint: `${issuer}/logout`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ALGORITHMS,
      scopes_supported: ["openid", "profile"],
      claims_supported: ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name"],
      code_challenge_methods_supported: ["S256"],
      token_endpoint_auth_methods_supported: ["none", "client_secret_basic", "client_secret_post"],
      authorization_response_iss_parameter_supported: true,
      backchannel_logout_supported: true,
    };
    return bend.metadata?.(discovered) ?? discovered;
  }

  function authorize(query: URLSearchParams): Answer {
    const read = readAuthenticationRequest(query, clients);
    if (!read.ok) return refuse(read);
    const { request } = read;
    if (bend.person !== undefined && !request.again) return grant(request, bend.person);
    if (request.silent) return refuse({ ...request, error: "login_required" });
    return ask(request, query.toString());
  }

  function ask({ redirectUri, state }: AuthenticationRequest, query: string, mistake?: string): Answer {
    const declined = redirect(redirectUri, { error: "access_denied", state });
    const content = namePage({ query, declined, ...(mistake !== undefined && { mistake }) });
    return page(mistake === undefined ? 200 : 400, content, new URL(redirectUri).origin);
  }

  async function authenticate(request: IncomingMessage): Promise<Answer> {
    const { origin } = request.headers;
    const form = await readForm(request, MAX_BODY);
    if (form === null || (origin !== undefined && origin !== issuer))
      return page(403, sentencePage("Not accepted", "This form came from elsewhere."));
    const query = form.get("request") ?? "";
    const read = readAuthenticationRequest(new URLSearchParams(query), clients);
    if (!read.ok) return refuse(read);
    const name = personName(form.get("name"));
    if (name === null) return ask(read.request, query, "Type a name of 1 to 64 characters.");
    return grant(read.request, name);
  }

  function grant(request: AuthenticationRequest, name: string): Answer {
    const { client, redirectUri, state, nonce, challenge } = request;
    const authenticated = seconds(Date.now());
    const code = codes.issue({ client: client.id, redirectUri, challenge, nonce, name, authenticated });
    return goTo(redirect(redirectUri, { code, state }));
  }

  function refuse(refused: { redirectUri: string | null; state: string | null; error: string }): Answer {
    const { redirectUri, state, error } = refused;
    if (redirectUri !== null) return goTo(redirect(redirectUri, { error, state }));
    const sentence = "It is not registered here, or wants to be answered at another address.";
    return page(400, sentencePage("Unknown client", sentence));
  }

  /** RFC 6749 §4.1.2 with the issuer of RFC 9207. */
  function redirect(to: string, parameters: Record<string, string | null>): string {
    const url = new URL(to);
    for (const [name, value] of Object.entries({ ...parameters, iss: issuer }))
      if (value !== null) url.searchParams.set(name, value);
    bend.response?.(url.searchParams);
    return url.href;
  }

  async function token(request: IncomingMessage): Promise<Answer> {
    const form = await readForm(request, MAX_BODY);
    const said = form === null ? refusal("invalid_request") : redeem(form, request.headers.authorization);
    return bend.token?.(said) ?? said;
  }

  function redeem(form: URLSearchParams, authorization: string | undefined): Answer {
    const client = clientOf(form, authorization, clients);
    if (client === null) return refusal("invalid_client", 401);
    if (form.get("grant_type") !== "authorization_code") return refusal("unsupported_grant_type");
    const granted = codes.redeem(form.get("code") ?? "", {
      client: client.id,
      redirectUri: form.get("redirect_uri") ?? "",
      verifier: form.get("code_verifier") ?? "",
      reusable: bend.reusable === true,
    });
    if (granted === null) return refusal("invalid_grant");
    const access_token = randomBytes(32).toString("base64url");
    return json(200, {
      access_token,
      token_type: "Bearer",
      expires_in: 300,
      id_token: idToken(granted),
    });
  }

  /** OpenID Connect Core 1.0 §2. */
  function idToken({ client, nonce, name, authenticated }: Granted): string {
    const iat = seconds(Date.now());
    const claims = {
      iss: issuer,
      sub: subjectOf(name),
      aud: client,
      exp: iat + ID_TOKEN_SECONDS,
      iat,
      auth_time: authenticated,
      ...(nonce !== null && { nonce }),
      name,
    };
    return keys.sign(claims, "JWT", bend);
  }

  /** OpenID Connect RP-Initiated Logout 1.0 §2. Nobody is remembered here, so there is nothing to ask about. */
  function logout(query: URLSearchParams): Answer {
    const client = clients.find(({ id }) => id === query.get("client_id"));
    const to = query.get("post_logout_redirect_uri");
    if (client === undefined || to === null || !client.afterLogout.includes(to))
      return page(200, sentencePage("Signed out", "You can close this window."));
    const url = new URL(to);
    const state = query.get("state");
    if (state !== null) url.searchParams.set("state", state);
    return goTo(url.href);
  }

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    answer(request).then(
      ({ status, headers, body }) => response.writeHead(status, { ...COMMON, ...headers }).end(body),
      () => response.destroy(),
    );
  };
  const servers: Server[] = [];
  const close = () => Promise.all(servers.map(end));
  let { port } = options;
  for (const address of ADDRESSES[host]) {
    const server = createServer(handle);
    server.requestTimeout = 10_000;
    try {
      port = await listen(server, address, port);
      servers.push(server);
    } catch (error) {
      if (address === "::1" && NO_ADDRESS.includes((error as NodeJS.ErrnoException).code ?? "")) continue;
      await close();
      throw error;
    }
  }
  issuer = `http://${host}:${port}`;
  return {
    issuer,
    port,
    bend(next) {
      bend = next;
    },
    rotate: (rotation = {}) => keys.rotate(rotation),
    logoutToken({ client, name }, bent) {
      const iat = seconds(Date.now());
      const said = { iss: issuer, sub: subjectOf(name), aud: client, iat, exp: iat + 120, jti: randomUUID() };
      return keys.sign({ ...said, name, events: { [LOGOUT]: {} } }, "logout+jwt", bent);
    },
    asked: (path) => asked.get(path) ?? 0,
    close: () => close().then(() => {}),
  };
}

/** ASCII, at most 255 characters (OpenID Connect Core 1.0 §2), and the same for a name each time. */
function subjectOf(name: string): string {
  return createHash("sha256").update(name).digest("base64url");
}

function refusal(error: string, status = 400): Answer {
  return json(status, { error });
}

function json(status: number, value: object): Answer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

/** A browser comes with GET, also after a form (RFC 9110 §15.4.4). */
function goTo(location: string): Answer {
  return { status: 303, headers: { location }, body: "" };
}
