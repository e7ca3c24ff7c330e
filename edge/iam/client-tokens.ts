/**
 * Tokens for application servers (W9): OAuth 2.0 client credentials (RFC 6749 §4.4) with a private-key JWT (RFC 7523) by the registered key, bound to a
 * DPoP key that is certified as a custodian's (M5). No refresh token: whoever has the registered key asks again.
 */

import { encodeBase64url } from "#protocol/base64url.ts";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import {
  ASSERTION_JWT_TYPE,
  type ClientAssertion,
  type ClientTokens,
  clientAssertion,
} from "#protocol/contract/index.ts";
import { parseJson } from "#protocol/json.ts";
import { jwsParts } from "#protocol/jws.ts";
import { type EcPublicJwk, verifyJws } from "#protocol/keys/index.ts";
import { fits } from "#protocol/shape.ts";
import { checkAssertion } from "../assertion.ts";
import { authorize } from "../authorize.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, fail, ok, type Result, refuse, turnAway } from "../result.ts";
import { hashSecret } from "../secret.ts";
import { ACCESS_TOKEN_SECONDS, signAccessToken } from "./access-token.ts";
import { makeRoomForFamily, maxSignIns, signInsPerMinute } from "./bounds.ts";
import { authoritiesOf, certifyCustodian } from "./certificate.ts";
import { FAMILY_SECONDS } from "./families.ts";
import { accountsOf } from "./memberships.ts";
import { custodianName } from "./name.ts";
import { type OwnRegistration, ownRegistration } from "./own-registration.ts";
import { DENIED } from "./settings.ts";
import { userName } from "./sign-in.ts";
import { type TokenEndpoint, useProof } from "./tokens.ts";

/** A request whose DPoP proof the gateway has verified. Times: seconds since 1970. */
export type ClientTokenRequest = {
  /** Compact JWS, by whomever. */
  assertion: string;
  /** Origin that the request came to: that of the app. */
  origin: string;
  proof: { jkt: string; key: EcPublicJwk; jti: string; expires: number };
  requestId: string;
};

/** `certificate`: of the sign-in that goes on; null where there is none, or one that has half of its life behind it. */
type Granted = {
  family: string;
  fresh: boolean;
  expires: number;
  certificate: Uint8Array<ArrayBuffer> | null;
};
type Live = { id: string; expires: number; certificate: ArrayBuffer };

/** Whom an assertion says it is of: whose object is asked. Nothing of it is verified. */
export function subjectOfAssertion(token: string): string | null {
  try {
    const payload = parseJson(new TextDecoder().decode(jwsParts(token).payload));
    return fits(clientAssertion, payload) ? payload.sub : null;
  } catch {
    return null;
  }
}

/** Errors: `invalid-client` for whatever is wrong with the assertion or the registration, `forbidden` for a denied app, `too-many-requests`. */
export async function issueClientTokens(
  endpoint: TokenEndpoint,
  request: ClientTokenRequest,
): Promise<Result<ClientTokens>> {
  const { store, principal, hsm, tenant, now, denied } = endpoint;
  const { origin, proof, requestId } = request;
  const registration = ownRegistration(store.sql);
  // A person's object, or nobody's: there is nothing to decide.
  if (registration === null) return fail("invalid-client");
  const audience = tenant.vault;
  const assertion = await verifyAssertion(request.assertion, registration, {
    principal,
    audience,
    now,
  }).catch((error: Error) => error);
  const [assertionHash, proofHash] = await Promise.all([
    hashSecret(`${registration.key}.${assertion instanceof Error ? "" : assertion.jti}`),
    hashSecret(proof.jti),
  ]);
  const about = { caller: null, resource: `user/${principal}`, requestId };
  const stands = (sql: SqlStorage): Decision<null> => {
    if (ownRegistration(sql)?.number !== registration.number || ownRegistration(sql)?.jwk === null)
      return refuse("invalid-client", "the registration has ended");
    return denied().includes(registration.app) ? refuse("forbidden", DENIED) : ok(null);
  };

  const decision = authorize<Granted>(store, { action: "iam:client-token", ...about }, (sql) => {
    if (assertion instanceof Error) return turnAway("invalid-client", assertion.message.slice(0, 100));
    const turn = takeTurn(
      sql,
      { what: "iam:client-token", user: principal },
      signInsPerMinute(endpoint.configuration),
      now,
    );
    if (!turn.ok) return turn;
    // Used up before anything else is looked at.
    const unused = useProof(sql, assertionHash, assertion.exp + CLOCK_TOLERANCE);
    if (!unused.ok) return turnAway("invalid-client", "assertion replayed");
    if (assertion.cnf.jkt !== proof.jkt) return turnAway("invalid-client", "assertion for another DPoP key");
    const unseen = useProof(sql, proofHash, proof.expires);
    if (!unseen.ok) return unseen;
    const standing = stands(sql);
    if (!standing.ok) return standing;
    if (tenant.apps.find(({ id }) => id === registration.app)?.origin !== origin)
      return refuse("invalid-client", "not the origin of the client's app");
    return ok(grant(sql, endpoint, proof.jkt));
  });
  if (!decision.ok) return decision;

  const { family, fresh, expires } = decision.value;
  const dn = custodianName({ user: principal, origin, tenant: store.tenant });
  const exp = Math.min(now + ACCESS_TOKEN_SECONDS, expires);
  const [certificate, accessToken, chain] = await Promise.all([
    decision.value.certificate ??
      certifyCustodian(hsm, { dn, key: proof.key, origin, now, notAfter: expires }),
    signAccessToken(hsm, {
      iss: tenant.vault,
      sub: principal,
      aud: origin,
      client_id: registration.app,
      iat: now,
      exp,
      jti: crypto.randomUUID(),
      cnf: { jkt: proof.jkt },
      tenant: store.tenant,
      custodian: dn,
    }),
    authoritiesOf(hsm),
  ]);
  return authorize<ClientTokens>(store, { action: "iam:certify-custodian", ...about }, (sql) => {
    // The HSM took its time: the client may have been removed, or have got another key.
    const standing = stands(sql);
    if (!standing.ok) return standing;
    const live = sql.exec("SELECT 1 FROM families WHERE id = ? AND revoked IS NULL", family).toArray();
    if (live.length !== 1) return refuse("invalid-client", "the sign-in has ended");
    if (fresh) {
      sql.exec("UPDATE families SET expires = ? WHERE id = ?", expires, family);
      sql.exec(
        "INSERT OR REPLACE INTO custodians VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ...[proof.jkt, family, principal, registration.app, dn, origin, certificate.buffer, expires],
      );
    }
    return ok({
      ...{ access_token: accessToken, token_type: "DPoP", expires_in: exp - now },
      custodian: { dn, certificate: encodeBase64url(certificate), chain },
      tenant: store.tenant,
      user: { id: principal, name: userName(sql) },
      accounts: accountsOf(sql),
    });
  });
}

/** The sign-in of this DPoP key, or another one. One that has half of its life behind it gets a new certificate, and goes on. */
function grant(sql: SqlStorage, endpoint: TokenEndpoint, jkt: string): Granted {
  const { principal, now, configuration } = endpoint;
  const [live] = sql
    .exec<Live>(
      `SELECT f.id, f.expires, c.certificate FROM families f JOIN custodians c ON c.family = f.id
       WHERE f.jkt = ? AND f.revoked IS NULL AND f.expires > ?`,
      ...[jkt, now],
    )
    .toArray();
  if (live !== undefined && live.expires > now + FAMILY_SECONDS / 2) {
    const { id: family, expires, certificate } = live;
    return { family, fresh: false, expires, certificate: new Uint8Array(certificate) };
  }
  const expires = now + FAMILY_SECONDS;
  const family = live?.id ?? crypto.randomUUID();
  if (live === undefined) {
    makeRoomForFamily(sql, principal, maxSignIns(configuration));
    const { app } = ownRegistration(sql) ?? { app: "" };
    sql.exec("INSERT INTO families VALUES (?, ?, '', ?, ?, ?, NULL)", family, principal, app, jkt, expires);
  }
  return { family, fresh: true, expires, certificate: null };
}

/** Throws `Error` with the reason, for the audit log. */
async function verifyAssertion(
  token: string,
  { jwk, key }: OwnRegistration,
  { principal, ...expected }: { principal: string; audience: string; now: number },
): Promise<ClientAssertion> {
  if (jwk === null) throw new Error("the client was removed");
  const assertion = await verifyJws(token, ASSERTION_JWT_TYPE, (kid) => (kid === key ? jwk : null));
  if (!fits(clientAssertion, assertion)) throw new Error("not an assertion");
  if (assertion.sub !== principal) throw new Error("sub");
  checkAssertion(assertion, expected);
  return assertion;
}
