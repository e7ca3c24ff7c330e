/**
 * Demonstrating Proof of Possession (RFC 9449 §4.2): what a proof says. Imports clock, digest, jwk and jws. Imported by
 * web/client and web/microservice, which each sign with a key of their own.
 */

import { seconds } from "./clock.ts";
import { digest } from "./digest.ts";
import type { EcPublicJwk } from "./jwk.ts";
import { jwsInput } from "./jws.ts";

/** What a proof is about. `url` may carry query and fragment; they are left out as RFC 9449 §4.2 wants. */
export interface ProofSubject {
  method: string;
  url: string;
  /** The access token that goes with the request; bound by its hash (`ath`). */
  accessToken?: string | undefined;
  /** The last `DPoP-Nonce` of the server, if it gave one (RFC 9449 §8). */
  nonce?: string | undefined;
}

/** The text to sign with ES256 by the key of `jwk`. `now` is in milliseconds, `id` a fresh unique value (`jti`). */
export async function proofInput(
  jwk: EcPublicJwk,
  { method, url, accessToken, nonce }: ProofSubject,
  { now, id }: { now: number; id: string },
): Promise<string> {
  const { origin, pathname } = new URL(url);
  const claims = {
    jti: id,
    htm: method,
    htu: origin + pathname,
    iat: seconds(now),
    ...(accessToken === undefined ? {} : { ath: await digest(accessToken) }),
    ...(nonce === undefined ? {} : { nonce }),
  };
  return jwsInput({ typ: "dpop+jwt", alg: "ES256", jwk }, claims);
}
