/** The token endpoint for application servers (RFC 6749 §4.4, RFC 7523 §2.2, RFC 9449): no cookie, no person, no refresh token. */

import { base64url, compactJws, line, literal, type Of, object, open, seconds, text } from "../shape.ts";
import { CLIENT_ASSERTION_TYPE } from "./instance-token.ts";
import { issued } from "./issued.ts";
import { userId } from "./names.ts";
import type { Route } from "./route.ts";

/**
 * The assertion is a JWS of ES256 by the registered key, `kid` its thumbprint (RFC 7638), of the type of an instance's. The DPoP proof is of another
 * key, which the tokens are bound to. `client_id`, where it is sent, is the assertion's `sub` (RFC 7521 §4.2).
 */
export const clientTokenRequest = open(
  {
    grant_type: literal("client_credentials"),
    client_assertion_type: literal(CLIENT_ASSERTION_TYPE),
    client_assertion: compactJws(4096),
  },
  { client_id: text(1, 512) },
);

/** What it says. `iss` and `sub`: the client's id. */
export const clientAssertion = object({
  iss: userId,
  sub: userId,
  /** The vault's origin: the issuer's identifier (RFC 8414). */
  aud: line(512),
  jti: text(16, 128, /^[\w-]*$/),
  iat: seconds,
  exp: seconds,
  /** The key of the DPoP proof that it comes with, and no other's (RFC 7800 §3, RFC 9449 §6.1). */
  cnf: object({ jkt: base64url(32) }),
});
export type ClientAssertion = Of<typeof clientAssertion>;

const tokens = open(issued);
export type ClientTokens = Of<typeof tokens>;

/** On the origin of the client's app, where the token is good. The assertion works once, whatever comes of it. */
export const clientToken = {
  site: "app",
  method: "POST",
  path: "/clients/token",
  authentication: "proof",
  request: { form: clientTokenRequest },
  answer: { status: 200, json: tokens },
  problems: ["invalid-client", "forbidden", "too-many-requests", "hsm-refused", "hsm-unavailable"],
} as const satisfies Route;
