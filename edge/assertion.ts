/** What an assertion says of itself (RFC 7523 §3), whoever has signed it. */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { ASSERTION_SECONDS } from "#protocol/contract/index.ts";

/** By itself about itself, for this audience, now, and for a minute at most. Throws `Error` with the claim that is wrong. `now` in seconds. */
export function checkAssertion(
  { iss, sub, aud, iat, exp }: { iss: string; sub: string; aud: string; iat: number; exp: number },
  { audience, now }: { audience: string; now: number },
): void {
  if (iss !== sub) throw new Error("iss");
  if (aud !== audience) throw new Error("aud");
  if (!(iat <= now + CLOCK_TOLERANCE)) throw new Error("iat");
  if (!(iat < exp && exp <= iat + ASSERTION_SECONDS && now < exp + CLOCK_TOLERANCE)) throw new Error("exp");
}
