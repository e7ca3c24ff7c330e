/** A client's own word that another key takes the place of its own (`KEY_CHANGE_JWT_TYPE`). */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { clientKeyChange, KEY_CHANGE_JWT_TYPE, KEY_CHANGE_SECONDS } from "#protocol/contract/index.ts";
import { type EcPublicJwk, verifyJws } from "#protocol/keys/index.ts";
import { fits } from "#protocol/shape.ts";
import { hashSecret } from "../secret.ts";
import { useOnce } from "./used-once.ts";

type Before = { id: string; key: string; jwk: EcPublicJwk };

/** `once`: SHA-256 by which it is known when it comes again. `exp` in seconds since 1970. */
type KeyChange = { once: string; exp: number };

/** Null for what the key before has not signed for this client, this new key (`to`, its thumbprint) and this tenant, now. */
export async function readKeyChange(
  token: string,
  { id, key, jwk, audience, to, now }: Before & { audience: string; to: string; now: number },
): Promise<KeyChange | null> {
  const said = await verifyJws(token, KEY_CHANGE_JWT_TYPE, (kid) => (kid === key ? jwk : null)).catch(
    () => null,
  );
  if (!fits(clientKeyChange, said)) return null;
  const { iss, sub, aud, iat, exp } = said;
  if (iss !== id || sub !== id || aud !== audience || said.key !== to) return null;
  if (!(iat <= now + CLOCK_TOLERANCE && iat < exp && exp <= iat + KEY_CHANGE_SECONDS && now < exp))
    return null;
  return { once: await hashSecret(`${id}.${said.jti}`), exp };
}

/** Inside `authorize()`. Whether it was not used before. */
export function takeKeyChange(sql: SqlStorage, { once, exp }: KeyChange, now: number): boolean {
  return useOnce(sql, { kind: "key-change", id: once, expires: exp }, now);
}
