import { SIGN_TYPE, SIGNER } from "#protocol/hierarchy/index.ts";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import { type Hsm, signCompact } from "../hsm/index.ts";
import type { TokenKey } from "./types.ts";

/** Life of an access token, seconds. Revocation waits at most this long. */
export const ACCESS_TOKEN_SECONDS = 600;

/** Claims of an access token: RFC 9068 §2.2, RFC 9449 §6, and ours. It names no accounts: there may be any number, and they change. */
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
  custodian: string;
};

/** What an instance's own has too: its id, and the DPoP key of the custodian whom it serves. */
export type InstanceTokenClaims = AccessTokenClaims & { instance: string; custodian_jkt: string };

/** The public key that verifies access tokens. */
export async function tokenKey(hsm: Pick<Hsm, "publicKey">): Promise<TokenKey> {
  const jwk = jwkFromSpki(await hsm.publicKey(SIGNER.token.publicKey));
  return { ...jwk, kid: await thumbprint(jwk), alg: "ES256", use: "sig" };
}

/** Signs one in the HSM. */
export async function signAccessToken(
  hsm: Hsm,
  claims: AccessTokenClaims | InstanceTokenClaims,
): Promise<string> {
  const { kid } = await tokenKey(hsm);
  return signCompact(hsm, SIGNER.token.key, { typ: SIGN_TYPE.token, kid }, claims);
}
