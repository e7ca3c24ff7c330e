/** An application server's own word that another key takes the place of its own, for the admin who registers that. */

import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { type ClientKeyChange, KEY_CHANGE_JWT_TYPE, KEY_CHANGE_SECONDS } from "#protocol/contract/index.ts";
import type { EcPublicJwk } from "#protocol/jwk.ts";
import { joinJws, signingInput, thumbprint } from "#protocol/keys/index.ts";
import { type DpopKey, signWith } from "#web/client/dpop.ts";

/** A compact JWS by the key that it has, good once and for a day. `id`: the client's. `vault`: origin of its tenant's vault. `now` in milliseconds. */
export async function signKeyChange(
  key: DpopKey,
  { id, vault, to, now }: { id: string; vault: string; to: EcPublicJwk; now: number },
): Promise<string> {
  const iat = seconds(now);
  const said: ClientKeyChange = {
    ...{ iss: id, sub: id, aud: vault, key: await thumbprint(to) },
    ...{ jti: crypto.randomUUID(), iat, exp: iat + KEY_CHANGE_SECONDS },
  };
  const input = signingInput({ typ: KEY_CHANGE_JWT_TYPE, kid: await thumbprint(key.jwk) }, said);
  return joinJws(input, await signWith(key, utf8(input)));
}
