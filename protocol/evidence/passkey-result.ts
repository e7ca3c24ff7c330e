/** What a verifier says of a passkey that was registered: a JWS, ES256, by its key, as its other results are. */
import { decodeBase64url, encodeBase64url } from "../base64url.ts";
import { equalConstantTime, utf8 } from "../bytes.ts";
import { CLOCK_TOLERANCE } from "../clock.ts";
import { type EcPublicJwk, joinJws, signingInput, thumbprint, verifyJws } from "../keys/index.ts";
import { TIERS } from "../policy/index.ts";
import { boolean, checked, line, list, literal, object, seconds, text, whole } from "../shape.ts";
import type { Passkey } from "./format.ts";
import { type Asked, RESULT_SECONDS, type VerifierKey } from "./result.ts";

const TYPE = "passkey+jwt";
const result = object({
  iss: line(256),
  aud: line(256),
  iat: seconds,
  exp: seconds,
  nonce: text(43, 43, /^[\w-]*$/),
  passkey: object(
    {
      id: text(1, 1366, /^[\w-]*$/),
      publicKey: text(122, 122, /^[\w-]*$/),
      counter: whole(0, 2 ** 32),
      backup: boolean,
      tier: literal(...TIERS),
    },
    { certifiedBy: list(text(64, 64, /^[0-9a-f]*$/), 2, 6) },
  ),
  authenticator: text(36, 36, /^[0-9a-f-]*$/),
  app: line(256),
});

/** A passkey, the model of its authenticator (AAGUID, a UUID; all zero where it is not told), and the origin of the app in whose page it was made. */
export type PasskeyResult = { passkey: Passkey; authenticator: string; app: string };
type Of = Pick<Asked, "audience" | "nonce">;

/** Signs what was found. `now` in seconds. */
export async function signPasskey(
  { issuer, publicKey, sign }: VerifierKey,
  { audience, nonce }: Of,
  found: PasskeyResult,
  now: number,
): Promise<string> {
  const said = { iss: issuer, aud: audience, iat: now, exp: now + RESULT_SECONDS, ...found };
  const payload = checked(result, { ...said, nonce: encodeBase64url(nonce) });
  const input = signingInput({ typ: TYPE, kid: await thumbprint(publicKey) }, payload);
  return joinJws(input, await sign(utf8(input)));
}

/** The passkey, if it is by this verifier's key, for this audience and nonce, and of now (seconds). Throws an `Error` with the reason. */
export async function verifyPasskey(
  token: string,
  verifier: { issuer: string; publicKey: EcPublicJwk },
  { audience, nonce }: Of,
  now: number,
): Promise<PasskeyResult> {
  const kid = await thumbprint(verifier.publicKey);
  const payload = await verifyJws(token, TYPE, (named) => (named === kid ? verifier.publicKey : null));
  const { iss, aud, iat, exp, passkey, authenticator, app, ...said } = checked(result, payload);
  if (iss !== verifier.issuer || aud !== audience)
    throw new Error("a result of another verifier, or for another");
  if (!equalConstantTime(decodeBase64url(said.nonce), nonce)) throw new Error("a result for another nonce");
  if (!(iat <= now + CLOCK_TOLERANCE && now < exp && exp <= iat + RESULT_SECONDS))
    throw new Error("a result of another time");
  return { passkey, authenticator, app };
}
