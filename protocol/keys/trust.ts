/**
 * The trust list: which keys may sign what, signed by the root CA's key, which the microservice pins at build time.
 * A JWK set (RFC 7517 §5) as JWT payload, each key with exactly one purpose.
 */

import { PURPOSES, type Purpose } from "../hierarchy/index.ts";
import { type EcPublicJwk, jwkFromSpki, thumbprint } from "../jwk.ts";
import { base64url, fits, list, literal, object, type Shape, seconds, whole } from "../shape.ts";
import { JwsError, verifyJws } from "./jws.ts";
import { checkTime } from "./time.ts";

export const TRUST_TYPE = "jwk-set+jwt";
const ISSUER = "coffer-root";
const MAX_KEYS = 32;

export type TrustedKey = EcPublicJwk & { kid: string; use: "sig"; purpose: Purpose };

/**
 * `serial`: greater in every later list of the same root, so that a list that was replaced cannot come back.
 * `iat`, `exp`: seconds since 1970.
 */
export type TrustList = {
  iss: typeof ISSUER;
  serial: number;
  iat: number;
  exp: number;
  keys: TrustedKey[];
};

const trustList: Shape<TrustList> = object({
  iss: literal(ISSUER),
  serial: whole(0),
  iat: seconds,
  exp: seconds,
  keys: list(
    object({
      kty: literal("EC"),
      crv: literal("P-256"),
      x: base64url(32),
      y: base64url(32),
      kid: base64url(32),
      use: literal("sig"),
      purpose: literal(...PURPOSES),
    }),
    1,
    MAX_KEYS,
  ),
});

/** The payload to sign under the root for these keys; computes every `kid`. */
export async function trustListPayload(
  keys: { key: EcPublicJwk; purpose: Purpose }[],
  issue: { serial: number; iat: number; exp: number },
): Promise<TrustList> {
  const trusted = keys.map(async ({ key: { x, y }, purpose }): Promise<TrustedKey> => {
    const key: EcPublicJwk = { kty: "EC", crv: "P-256", x, y };
    return { ...key, kid: await thumbprint(key), use: "sig", purpose };
  });
  return { iss: ISSUER, ...issue, keys: await Promise.all(trusted) };
}

/**
 * Verifies a trust list under the pinned root key (SPKI, 91 bytes) at `now` (seconds). Every `kid` must be the
 * thumbprint of its key, and no key may be listed twice. Throws `JwsError`: `jws-superseded` for a list with a serial
 * below `min`, the highest that the caller has seen.
 */
export async function verifyTrustList(
  token: string,
  rootSpki: Uint8Array,
  now: number,
  min = 0,
): Promise<TrustList> {
  const root = jwkFromSpki(rootSpki);
  const rootKid = await thumbprint(root);
  const trust = await verifyJws(token, TRUST_TYPE, (kid) => (kid === rootKid ? root : null));
  if (!fits(trustList, trust)) throw new JwsError("jws-payload", "not a trust list");
  checkTime(trust, now);
  if (trust.serial < min) throw new JwsError("jws-superseded", "a newer list was seen");
  const seen = new Set([rootKid]); // the root signs lists and certificates, nothing else
  for (const key of trust.keys) {
    if (seen.has(key.kid) || key.kid !== (await thumbprint(key)))
      throw new JwsError("jws-payload", "a kid is wrong");
    seen.add(key.kid);
  }
  return trust;
}

/** The key with this `kid`, if it is for this purpose; null otherwise. */
export function findKey(trust: TrustList, kid: string, purpose: Purpose): TrustedKey | null {
  return trust.keys.find((key) => key.kid === kid && key.purpose === purpose) ?? null;
}
