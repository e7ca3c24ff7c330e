/** The token endpoint (OAuth 2.0: RFC 6749, RFC 9449). */

import { literal, type Of, open, text, union } from "../shape.ts";
import { issued } from "./issued.ts";
import type { Route } from "./route.ts";

const value = text(1, 512);

/** Parameters that are not known are ignored (RFC 6749 §3.2). */
export const tokenRequest = union("grant_type", {
  authorization_code: open({
    grant_type: literal("authorization_code"),
    client_id: value,
    code: value,
    redirect_uri: value,
    // RFC 7636 §4.1
    code_verifier: text(43, 128, /^[\w.~-]*$/),
  }),
  refresh_token: open({ grant_type: literal("refresh_token"), client_id: value, refresh_token: value }),
});

const tokens = open({ ...issued, refresh_token: text(1, 512) });
export type Tokens = Of<typeof tokens>;

/** The proof is used up with the grant. Problems have OAuth's own names too, in `error` (RFC 6749 §5.2). */
export const token = {
  site: "app",
  method: "POST",
  path: "/token",
  authentication: "proof",
  request: { form: tokenRequest },
  answer: { status: 200, json: tokens },
  problems: ["invalid-client", "invalid-grant", "too-many-requests", "hsm-refused", "hsm-unavailable"],
} as const satisfies Route;
