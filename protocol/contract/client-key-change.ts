/** A client's own word that another key takes the place of its own: what the one before signs (RFC 7515, ES256). */

import { base64url, line, type Of, object, seconds, text } from "../shape.ts";
import { userId } from "./names.ts";

/** `typ` of that JWS. */
export const KEY_CHANGE_JWT_TYPE = "client-key-change+jwt";
/** Until an admin has registered the key. Seconds. */
export const KEY_CHANGE_SECONDS = 24 * 3600;

/** What it says, signed by the key before, `kid` its thumbprint; it is good once. `iss` and `sub`: the client's id. */
export const clientKeyChange = object({
  iss: userId,
  sub: userId,
  /** The vault's origin, which is one tenant's alone. */
  aud: line(512),
  /** Thumbprint of the new key (RFC 7638). */
  key: base64url(32),
  jti: text(16, 128, /^[\w-]*$/),
  iat: seconds,
  exp: seconds,
});
export type ClientKeyChange = Of<typeof clientKeyChange>;
