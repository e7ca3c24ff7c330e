import { EmbeddedJWK, jwtVerify } from "jose";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { type EcPublicJwk, thumbprint } from "#protocol/keys/index.ts";
import { base64url, checked, literal, object, open, seconds, text } from "#protocol/shape.ts";
import { Refused } from "./problem.ts";

const MAXIMUM_LENGTH = 4096;

/** A proof that holds for this request. Its `jti` has still to be used up, and is remembered until `expires`. */
export type Proof = { jkt: string; key: EcPublicJwk; jti: string; expires: number };

/** 32 bytes in canonical base64url: bits that nobody reads would give one key several thumbprints. */
const coordinate = base64url(32);
const header = open({
  jwk: object({ kty: literal("EC"), crv: literal("P-256"), x: coordinate, y: coordinate }),
});
const claims = open(
  { jti: text(16, 128), htm: text(0, 16), htu: text(0, 2048), iat: seconds },
  { ath: text(0, 64) },
);

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
    const { jwk } = checked(header, verified.protectedHeader);
    const { jti, htm, htu, iat, ath } = checked(claims, verified.payload);
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
