import { createLocalJWKSet, jwtVerify } from "jose";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { base64url, checked, line, open, seconds } from "#protocol/shape.ts";
import type { Caller } from "../caller.ts";
import type { TokenKey } from "../iam/types.ts";
import { Refused } from "./problem.ts";

const MAXIMUM_LENGTH = 8192;

const name = line(MAXIMUM_LENGTH);
const claims = open({
  // JSON has numbers that are no time: 1e999 is read as Infinity.
  exp: seconds,
  iat: seconds,
  sub: name,
  client_id: name,
  tenant: name,
  custodian: name,
  cnf: open({ jkt: base64url(32) }),
});
/** What an instance's own token has beside that: its id, and the DPoP key of the custodian whom it serves. */
const ofInstance = open({ instance: line(128), custodian_jkt: base64url(32) });

/** The token of `Authorization: DPoP <token>` (RFC 9449 §7.1); undefined for every other scheme. */
export function dpopToken(authorization: string | undefined): string | undefined {
  const [, token] = /^DPoP ([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? "") ?? [];
  return token;
}

/** The keys as jose takes them; it keeps what it has made of a key with the set, and `TokenKeys` keeps the key. */
const sets = new WeakMap<TokenKey, ReturnType<typeof createLocalJWKSet>>();

function setOf(key: TokenKey) {
  const set = sets.get(key) ?? createLocalJWKSet({ keys: [key] });
  sets.set(key, set);
  return set;
}

/** `jkt`: the key that the token is bound to. */
export type AccessToken = Omit<Caller, "requestId"> & {
  instance?: { id: string; custodianJkt: string };
};

/**
 * Verifies an access token (RFC 9068 §4): its `typ`, ES256 by `key`, issuer, audience, time. Throws `Refused`
 * `invalid-token`. Whether its `cnf.jkt` is that of the proof is for the caller of this to see.
 */
export async function verifyAccessToken(
  token: string | undefined,
  expected: { key: TokenKey | undefined; issuer: string; audience: string; now: number },
): Promise<AccessToken> {
  const { key, issuer, audience, now } = expected;
  if (token === undefined || token.length > MAXIMUM_LENGTH || key === undefined)
    throw new Refused("invalid-token");
  try {
    const { payload } = await jwtVerify(token, setOf(key), {
      algorithms: ["ES256"],
      typ: SIGN_TYPE.token,
      issuer,
      audience,
      currentDate: new Date(now * 1000),
      requiredClaims: ["exp", "iat", "sub", "jti"],
    });
    const { iat, sub, client_id, tenant, custodian, cnf } = checked(claims, payload);
    if (!(iat <= now + CLOCK_TOLERANCE)) throw new Error("iat");
    const read = { tenant, user: sub, custodian, client: client_id, jkt: cnf.jkt, origin: audience };
    if (payload.instance === undefined) return read;
    const { instance: id, custodian_jkt: custodianJkt } = checked(ofInstance, payload);
    return { ...read, instance: { id, custodianJkt } };
  } catch {
    throw new Refused("invalid-token");
  }
}
