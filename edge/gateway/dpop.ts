import { EmbeddedJWK, jwtVerify } from "jose";
import * as v from "valibot";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { digest, type EcPublicJwk, thumbprint } from "#protocol/keys/index.ts";
import { Refused } from "./problem.ts";

const MAXIMUM_LENGTH = 4096;

/** A proof that holds for this request. Its `jti` has still to be used up, and is remembered until `expires`. */
export type Proof = { jkt: string; key: EcPublicJwk; jti: string; expires: number };

const header = v.object({
  jwk: v.strictObject({ kty: v.literal("EC"), crv: v.literal("P-256"), x: coordinate(), y: coordinate() }),
});
const claims = v.object({
  jti: v.pipe(v.string(), v.minLength(16), v.maxLength(128)),
  htm: v.string(),
  htu: v.pipe(v.string(), v.maxLength(2048)),
  iat: v.pipe(v.number(), v.integer()),
  ath: v.optional(v.string()),
});

/** 32 bytes in canonical base64url: bits that nobody reads would give one key several thumbprints. */
function coordinate() {
  return v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/));
}

/**
 * Verifies a DPoP proof (RFC 9449 §4.3) for a request: exactly one, `dpop+jwt`, ES256, a public P-256 key and nothing
 * more in its JWK, signature, method, URL, time, and the hash of the access token if there is one. Throws `Refused`
 * `invalid-proof`. `now` in seconds.
 */
export async function verifyProof(
  proof: string | undefined,
  request: { method: string; url: string; accessToken?: string },
  now: number,
): Promise<Proof> {
  if (proof === undefined || proof.length > MAXIMUM_LENGTH) throw new Refused("invalid-proof");
  try {
    const verified = await jwtVerify(proof, EmbeddedJWK, {
      algorithms: ["ES256"],
      typ: "dpop+jwt",
      currentDate: new Date(now * 1000),
      clockTolerance: CLOCK_TOLERANCE,
    });
    const { jwk } = v.parse(header, verified.protectedHeader);
    const { jti, htm, htu, iat, ath } = v.parse(claims, verified.payload);
    if (!(Math.abs(iat - now) <= CLOCK_TOLERANCE)) throw new Error("iat");
    if (htm !== request.method) throw new Error("htm");
    if (normalized(htu) !== normalized(request.url)) throw new Error("htu");
    const expected = request.accessToken === undefined ? undefined : await digest(request.accessToken);
    if (ath !== expected) throw new Error("ath");
    return { jkt: await thumbprint(jwk), key: jwk, jti, expires: iat + 2 * CLOCK_TOLERANCE };
  } catch {
    throw new Refused("invalid-proof");
  }
}

/** Without query and fragment (RFC 9449 §4.3 step 9), by the rules of the URL standard. */
function normalized(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
