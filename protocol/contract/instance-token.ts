/** The token endpoint for instances (RFC 7523 §2.2, RFC 9449): who holds an instance's identity key is that instance. */

import { compactJws, line, literal, type Of, object, open, seconds, text, whole } from "../shape.ts";
import { instanceId } from "./names.ts";
import type { Route } from "./route.ts";

/** `client_assertion_type` (RFC 7521 §4.2). */
export const CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/** `typ` of the assertion (draft-ietf-oauth-rfc7523bis): the identity key signs other things too. */
export const ASSERTION_JWT_TYPE = "client-authentication+jwt";
/** No assertion lives longer. */
export const ASSERTION_SECONDS = 60;

/** The assertion is a JWS of ES256 by the identity key, `kid` the SHA-256 of its certificate (base64url); the DPoP proof is of the same key. */
export const instanceTokenRequest = open({
  grant_type: literal("client_credentials"),
  client_assertion_type: literal(CLIENT_ASSERTION_TYPE),
  client_assertion: compactJws(4096),
});

/** What it says. `custodian`: Distinguished Name of the one that the instance serves (M13). */
export const instanceAssertion = object({
  iss: instanceId,
  sub: instanceId,
  /** The vault's origin. */
  aud: line(512),
  custodian: line(1024),
  jti: text(16, 128, /^[\w-]*$/),
  iat: seconds,
  exp: seconds,
});
export type InstanceAssertion = Of<typeof instanceAssertion>;

/** The token is good on the vault's origin alone; there is no refresh token. The assertion works once. */
export const instanceToken = {
  site: "vault",
  method: "POST",
  path: "/instances/token",
  authentication: "proof",
  request: { form: instanceTokenRequest },
  answer: {
    status: 200,
    json: open({
      access_token: text(1, 8192),
      token_type: text(4, 4, /^[Dd][Pp][Oo][Pp]$/),
      expires_in: whole(1),
    }),
  },
  problems: ["invalid-client", "forbidden", "too-many-requests", "hsm-refused", "hsm-unavailable"],
} as const satisfies Route;
