import { authorize } from "../authorize.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, ok, type Result, refuse, turnAway } from "../result.ts";
import { bearerOf, hashSecret } from "../secret.ts";
import type { Store } from "../store.ts";
import { makeRoomForCode } from "./bounds.ts";
import type { Client } from "./clients.ts";
import { endFamilies } from "./families.ts";
import { DENIED } from "./settings.ts";
import type { TicketCheck } from "./ticket.ts";

/** RFC 6749 §4.1.2 asks for ten minutes at most; a browser comes back at once. Seconds. */
const CODE_SECONDS = 60;
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

/** A verified authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 9449 §10). */
export type AuthorizationRequest = {
  client: Client;
  redirectUri: string;
  state: string | null;
  challenge: string;
  jkt: string;
};

export type AuthorizationError =
  /** Client or redirect URI are not registered: never redirect, show it here (RFC 6749 §4.1.2.1). */
  | { ok: false; redirectUri: null }
  | {
      ok: false;
      redirectUri: string;
      state: string | null;
      error: "invalid_request" | "unsupported_response_type";
    };

/** Checks the query of `/authorize`. Every parameter at most once; all that bind the code are required. */
export function readAuthorizationRequest(
  query: URLSearchParams,
  find: (id: string) => Client | undefined,
): { ok: true; request: AuthorizationRequest } | AuthorizationError {
  const one = (name: string): string | null => {
    const [value, ...more] = query.getAll(name);
    return value === undefined || more.length > 0 || value.length > 512 ? null : value;
  };
  const client = find(one("client_id") ?? "");
  const redirectUri = one("redirect_uri");
  if (client === undefined || redirectUri === null || !client.redirectUris.includes(redirectUri)) {
    return { ok: false, redirectUri: null };
  }
  const state = one("state");
  if (one("response_type") !== "code")
    return { ok: false, redirectUri, state, error: "unsupported_response_type" };
  const challenge = one("code_challenge") ?? "";
  const jkt = one("dpop_jkt") ?? "";
  if (one("code_challenge_method") !== "S256" || !THUMBPRINT.test(challenge) || !THUMBPRINT.test(jkt)) {
    return { ok: false, redirectUri, state, error: "invalid_request" };
  }
  return { ok: true, request: { client, redirectUri, state, challenge, jkt } };
}

/** Issues a code for a live session. */
export async function issueCode(
  store: Store,
  options: {
    principal: string;
    request: AuthorizationRequest;
    session: string;
    /** What became of the ticket of the form that was answered. */
    answered: TicketCheck;
    /** Apps that get none. */
    denied: readonly string[];
    requestId: string;
    now: number;
    /** Codes of one user in a minute. */
    perMinute: number;
  },
): Promise<Result<{ code: string }>> {
  const { principal, request, session, answered, requestId, now, perMinute, denied } = options;
  const code = bearerOf(principal);
  const hash = await hashSecret(code);
  const resource = `client/${request.client.id}`;
  return authorize(store, { action: "iam:authorize", caller: null, resource, requestId }, (sql) => {
    const [live] = sql
      .exec<{ user: string }>("SELECT user FROM sessions WHERE hash = ? AND expires > ?", session, now)
      .toArray();
    if (live === undefined) return refuse("no-session", "no live session");
    if (denied.includes(request.client.id)) return turnAway("forbidden", DENIED);
    if (!answered.ok) return turnAway("conflict", `answered too ${answered.again}`);
    const turn = takeTurn(sql, { what: "iam:authorize", user: live.user }, perMinute, now);
    if (!turn.ok) return turn;
    makeRoomForCode(sql, live.user);
    sql.exec(
      "INSERT INTO codes (hash, user, session, client, redirect_uri, challenge, jkt, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      hash,
      live.user,
      session,
      request.client.id,
      request.redirectUri,
      request.challenge,
      request.jkt,
      now + CODE_SECONDS,
    );
    return ok({ code });
  });
}

export type Exchange = { client: string; redirectUri: string; challenge: string; jkt: string };
type Code = {
  user: string;
  session: string;
  client: string;
  redirect_uri: string;
  challenge: string;
  jkt: string;
  expires: number;
};

/**
 * Consumes a code, then looks whether it may be used; call it inside `authorize()`. A second use revokes what the first
 * one got (RFC 6749 §4.1.2). `until`: when the session ends, and with it all that is issued in it.
 */
export function redeemCode(
  sql: SqlStorage,
  hash: string,
  exchange: Exchange,
  now: number,
): Decision<{ user: string; session: string; until: number }> {
  const [code] = sql
    .exec<Code>("UPDATE codes SET used = ? WHERE hash = ? AND used IS NULL RETURNING *", now, hash)
    .toArray();
  if (code === undefined) {
    const [twice] = sql
      .exec<{ id: string }>(
        "SELECT f.id FROM families f JOIN codes c ON c.family = f.id WHERE c.hash = ? AND f.revoked IS NULL",
        hash,
      )
      .toArray();
    if (twice === undefined) return turnAway("invalid-grant", "unknown or used code");
    endFamilies(sql, [twice.id], now);
    return refuse("invalid-grant", "code used twice, tokens revoked");
  }
  if (!(now < code.expires)) return refuse("invalid-grant", "code expired");
  if (code.client !== exchange.client) return refuse("invalid-grant", "code of another client");
  if (code.redirect_uri !== exchange.redirectUri) return refuse("invalid-grant", "another redirect URI");
  if (code.challenge !== exchange.challenge) return refuse("invalid-grant", "PKCE verifier does not match");
  if (code.jkt !== exchange.jkt) return refuse("invalid-grant", "proof by another DPoP key than announced");
  const [live] = sql
    .exec<{ expires: number }>(
      "SELECT expires FROM sessions WHERE hash = ? AND expires > ?",
      code.session,
      now,
    )
    .toArray();
  if (live === undefined) return refuse("invalid-grant", "the session has ended");
  return ok({ user: code.user, session: code.session, until: live.expires });
}
