import { encodeBase64url } from "#protocol/base64url.ts";
import type { Tokens } from "#protocol/contract/index.ts";
import type { EcPublicJwk } from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { Hsm } from "../hsm/index.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, fail, ok, type Result, refuse, refuseForNow, turnAway } from "../result.ts";
import { bearerOf, hashSecret } from "../secret.ts";
import type { Store } from "../store.ts";
import type { Tenant } from "../tenants.ts";
import { ACCESS_TOKEN_SECONDS, signAccessToken } from "./access-token.ts";
import {
  MAX_REFRESHES,
  makeRoomForFamily,
  maxSignIns,
  recentRefreshes,
  signInsPerMinute,
  userOfCode,
} from "./bounds.ts";
import { authoritiesOf, certifyCustodian } from "./certificate.ts";
import { type Client, findClient } from "./clients.ts";
import { redeemCode } from "./codes.ts";
import { FAMILY_SECONDS, type Family, rotate, startFamily } from "./families.ts";
import { accountsOf } from "./memberships.ts";
import { custodianName } from "./name.ts";
import { DENIED } from "./settings.ts";
import { userName } from "./sign-in.ts";
import { successorOf } from "./successor.ts";

/** A token request whose DPoP proof the gateway has verified. */
export type TokenRequest = {
  grant:
    | { type: "authorization_code"; code: string; verifier: string; redirectUri: string }
    | { type: "refresh_token"; token: string };
  client: string;
  /** Origin that the request came to: that of the app. */
  origin: string;
  proof: { jkt: string; key: EcPublicJwk; jti: string; expires: number };
  requestId: string;
};

export type TokenEndpoint = {
  store: Store;
  /** Whose tokens they are. */
  principal: string;
  hsm: Hsm;
  tenant: Tenant;
  /** Its bounds. */
  configuration: { COFFER_SIGN_INS_PER_USER?: string; COFFER_SIGN_INS_PER_MINUTE?: string };
  now: number;
  /** Apps that get none, as of now. */
  denied(): readonly string[];
};

/** The token endpoint: authorization code or refresh token to access token, refresh token and certificate. */
export async function issueTokens(endpoint: TokenEndpoint, request: TokenRequest): Promise<Result<Tokens>> {
  const client = findClient(endpoint.tenant, request.client);
  const { grant } = request;
  if (grant.type === "authorization_code") return exchangeCode(endpoint, request, grant, client);
  return refresh(endpoint, request, grant.token, client);
}

/** What is said where there is no code or token at all, as where there are some: another client first. */
export function refuseUnknown(tenant: Tenant, { client, origin }: TokenRequest): Result<never> {
  return fail(findClient(tenant, client)?.origin === origin ? "invalid-grant" : "invalid-client");
}

type CodeGrant = Extract<TokenRequest["grant"], { type: "authorization_code" }>;

async function exchangeCode(
  endpoint: TokenEndpoint,
  request: TokenRequest,
  grant: CodeGrant,
  known: Client | undefined,
): Promise<Result<Tokens>> {
  const { store, principal, hsm, now } = endpoint;
  const { proof } = request;
  const refreshToken = bearerOf(principal);
  const [codeHash, tokenHash, challenge, jtiHash] = await Promise.all([
    hashSecret(grant.code),
    hashSecret(refreshToken),
    hashSecret(grant.verifier),
    hashSecret(proof.jti),
  ]);
  const decision = authorize<Family & { origin: string }>(store, action("iam:token", request), (sql) => {
    const checked = checkClient(endpoint, request, known);
    if (!checked.ok) return checked;
    const client = checked.value;
    const { redirectUri } = grant;
    // Before the code is used up: it is as good in a moment.
    const holder = userOfCode(sql, { hash: codeHash, jkt: proof.jkt, now });
    const turn = holder === null ? ok(null) : takeTokenTurn(sql, holder, endpoint);
    if (!turn.ok) return turn;
    const code = redeemCode(
      sql,
      codeHash,
      { client: client.id, redirectUri, challenge, jkt: proof.jkt },
      now,
    );
    if (!code.ok) return code;
    const fresh = useProof(sql, jtiHash, proof.expires);
    if (!fresh.ok) return fresh;
    const { user, session, until } = code.value;
    const other = sql.exec(
      "SELECT 1 FROM custodians WHERE jkt = ? AND (user <> ? OR client <> ?)",
      proof.jkt,
      user,
      client.id,
    );
    if (other.toArray().length > 0)
      return refuse("invalid-grant", "this DPoP key belongs to another custodian");
    const family = {
      id: crypto.randomUUID(),
      user,
      client: client.id,
      jkt: proof.jkt,
      expires: Math.min(now + FAMILY_SECONDS, until),
    };
    makeRoomForFamily(sql, user, maxSignIns(endpoint.configuration));
    startFamily(sql, { ...family, session }, codeHash, tokenHash);
    return ok({ ...family, origin: client.origin });
  });
  if (!decision.ok) return decision;

  const family = decision.value;
  const { origin } = family;
  const dn = custodianName({ user: family.user, origin, tenant: store.tenant });
  const certified = { dn, key: proof.key, origin, now, notAfter: family.expires };
  const granted = claims(endpoint, family, origin);
  const [certificate, accessToken, chain] = await Promise.all([
    certifyCustodian(hsm, certified),
    signAccessToken(hsm, granted),
    authoritiesOf(hsm),
  ]);
  return authorize(store, action("iam:certify-custodian", request), (sql) => {
    const lives = stillLives(sql, endpoint, family);
    if (!lives.ok) return lives;
    sql.exec(
      "INSERT OR REPLACE INTO custodians VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[family.jkt, family.id, family.user, family.client, dn, origin, certificate.buffer, family.expires],
    );
    return ok(response(store, family, granted, { accessToken, refreshToken, dn, certificate, chain }));
  });
}

async function refresh(
  endpoint: TokenEndpoint,
  request: TokenRequest,
  token: string,
  known: Client | undefined,
): Promise<Result<Tokens>> {
  const { store, principal, hsm, now } = endpoint;
  const { proof } = request;
  const refreshToken = await successorOf(store.sql, principal, token);
  const [hash, next, jtiHash] = await Promise.all([
    hashSecret(token),
    hashSecret(refreshToken),
    hashSecret(proof.jti),
  ]);
  const decision = authorize<Family & Custodianship>(store, action("iam:refresh", request), (sql) => {
    const checked = checkClient(endpoint, request, known);
    if (!checked.ok) return checked;
    const client = checked.value;
    // One that is made up or dead leaves nothing behind, and takes no turn of anybody's.
    const live = recentRefreshes(sql, { hash, jkt: proof.jkt, now });
    if (live !== null) {
      if (!(live.recent < MAX_REFRESHES)) return refuseForNow("too many refreshes", 60);
      const turn = takeTokenTurn(sql, live.user, endpoint);
      if (!turn.ok) return turn;
      const fresh = useProof(sql, jtiHash, proof.expires);
      if (!fresh.ok) return fresh;
    }
    const rotated = rotate(sql, { hash, next, client: client.id, jkt: proof.jkt, now });
    if (!rotated.ok) return rotated;
    const [custodian] = sql
      .exec<{ dn: string; certificate: ArrayBuffer }>(
        "SELECT dn, certificate FROM custodians WHERE jkt = ?",
        proof.jkt,
      )
      .toArray();
    if (custodian === undefined) return refuse("invalid-grant", "the custodian was never certified");
    return ok({ ...rotated.value, dn: custodian.dn, certificate: new Uint8Array(custodian.certificate) });
  });
  if (!decision.ok) return decision;
  const family = decision.value;
  // Should the HSM be away, the same token is good for the same answer later.
  const granted = claims(endpoint, family, request.origin);
  const [accessToken, chain] = await Promise.all([signAccessToken(hsm, granted), authoritiesOf(hsm)]);
  const lives = stillLives(store.sql, endpoint, family);
  // That it goes on is no decision of its own.
  if (!lives.ok) return authorize<never>(store, action("iam:release-tokens", request), () => lives);
  const { dn, certificate } = family;
  return ok(response(store, family, granted, { accessToken, refreshToken, dn, certificate, chain }));
}

/** Look at it before the code or token is used up: a denied app may be allowed again. */
function checkClient(
  { denied }: TokenEndpoint,
  { origin }: TokenRequest,
  client: Client | undefined,
): Decision<Client> {
  if (client?.origin !== origin) return turnAway("invalid-client", "unknown client or foreign origin");
  return denied().includes(client.id) ? turnAway("invalid-client", DENIED) : ok(client);
}

/**
 * The HSM took its time: the sign-in may have ended meanwhile, or the app been denied. What ends a session ends its families.
 * Ask it in one go with the release.
 */
function stillLives(sql: SqlStorage, { denied }: TokenEndpoint, { id, client }: Family): Decision<null> {
  if (denied().includes(client)) return refuse("invalid-client", DENIED);
  const live = sql.exec("SELECT 1 FROM families WHERE id = ? AND revoked IS NULL", id).toArray();
  return live.length === 1 ? ok(null) : refuse("invalid-grant", "family revoked");
}

/** Codes and refresh tokens of one user, of all sign-ins, have one pace. */
function takeTokenTurn(sql: SqlStorage, user: string, { configuration, now }: TokenEndpoint): Decision<null> {
  return takeTurn(sql, { what: "iam:token", user }, signInsPerMinute(configuration), now);
}

type Custodianship = { dn: string; certificate: Uint8Array<ArrayBuffer> };

function action(name: string, { client, requestId }: TokenRequest) {
  return { action: name, caller: null, resource: `client/${client.slice(0, 64)}`, requestId };
}

/** A proof works once (RFC 9449 §11.1), and so does an assertion (RFC 7523 §3). */
export function useProof(sql: SqlStorage, jtiHash: string, expires: number): Decision<null> {
  const inserted = sql.exec(
    "INSERT INTO proofs VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING jti",
    jtiHash,
    expires,
  );
  return inserted.toArray().length === 1 ? ok(null) : turnAway("invalid-proof", "DPoP proof replayed");
}

function claims({ store, tenant, now }: TokenEndpoint, family: Family, audience: string) {
  const { user, client, jkt } = family;
  return {
    iss: tenant.vault,
    sub: user,
    aud: audience,
    client_id: client,
    iat: now,
    exp: Math.min(now + ACCESS_TOKEN_SECONDS, family.expires),
    jti: crypto.randomUUID(),
    cnf: { jkt },
    tenant: store.tenant,
    custodian: custodianName({ user, origin: audience, tenant: store.tenant }),
  };
}

function response(
  store: Store,
  family: Family,
  { iat, exp }: { iat: number; exp: number },
  issued: { accessToken: string; refreshToken: string; chain: string[] } & Custodianship,
): Tokens {
  return {
    access_token: issued.accessToken,
    token_type: "DPoP",
    expires_in: exp - iat,
    refresh_token: issued.refreshToken,
    custodian: { dn: issued.dn, certificate: encodeBase64url(issued.certificate), chain: issued.chain },
    tenant: store.tenant,
    user: { id: family.user, name: userName(store.sql) },
    accounts: accountsOf(store.sql),
  };
}
