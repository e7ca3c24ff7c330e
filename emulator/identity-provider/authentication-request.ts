import type { Client } from "./client.ts";

/** A request to sign somebody in (OpenID Connect Core 1.0 §3.1.2.1). */
export type AuthenticationRequest = {
  client: Client;
  redirectUri: string;
  state: string | null;
  nonce: string | null;
  challenge: string;
  /** Nobody may be asked. */
  silent: boolean;
  /** Somebody has to be asked. */
  again: boolean;
};

/** Reads the query. `redirectUri` is null where the browser must not be sent anywhere (RFC 6749 §4.1.2.1). */
export function readAuthenticationRequest(
  query: URLSearchParams,
  clients: readonly Client[],
):
  | { ok: true; request: AuthenticationRequest }
  | { ok: false; redirectUri: string | null; state: string | null; error: string } {
  const client = clients.find(({ id }) => id === query.get("client_id"));
  const redirectUri = query.get("redirect_uri");
  const state = query.get("state");
  if (client === undefined || redirectUri === null || !client.redirectUris.includes(redirectUri))
    return { ok: false, redirectUri: null, state, error: "invalid_client" };
  const refused = (error: string) => ({ ok: false as const, redirectUri, state, error });
  if (query.get("response_type") !== "code") return refused("unsupported_response_type");
  if (!(query.get("scope") ?? "").split(" ").includes("openid")) return refused("invalid_scope");
  const challenge = query.get("code_challenge") ?? "";
  if (query.get("code_challenge_method") !== "S256" || !/^[\w-]{43}$/.test(challenge))
    return refused("invalid_request");
  const prompts = (query.get("prompt") ?? "").split(" ");
  const request = {
    client,
    redirectUri,
    state,
    nonce: query.get("nonce"),
    challenge,
    silent: prompts.includes("none"),
    again: prompts.includes("login") || prompts.includes("select_account"),
  };
  return { ok: true, request };
}
