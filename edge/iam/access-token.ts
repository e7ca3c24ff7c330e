import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import { type Hsm, signCompact } from "../hsm/index.ts";
import type { TokenKey } from "./types.ts";

/** Life of an access token, seconds. Revocation waits at most this long. */
export const ACCESS_TOKEN_SECONDS = 600;
const KEY = "coffer/sign/token";

/** Claims of an access token: RFC 9068 §2.2, RFC 9449 §6, and ours. */
export type AccessTokenClaims = {
  iss: string;
  sub: string;
  aud: string;
  client_id: string;
  iat: number;
  exp: number;
  jti: string;
  cnf: { jkt: string };
  tenant: string;
  accounts: string[];
  custodian: string;
};

/** The public key that verifies access tokens. */
export async function tokenKey(hsm: Pick<Hsm, "publicKey">): Promise<TokenKey> {
  const jwk = jwkFromSpki(await hsm.publicKey(`${KEY}/public`));
  return { ...jwk, kid: await thumbprint(jwk), alg: "ES256", use: "sig" };
}

/** Signs an `at+jwt` in the HSM. */
export async function signAccessToken(hsm: Hsm, claims: AccessTokenClaims): Promise<string> {
  const { kid } = await tokenKey(hsm);
  return signCompact(hsm, KEY, { typ: "at+jwt", kid }, claims);
}
