/** Forms and lengths of what names a key. Apart, for those who need no key to know them. */

import { text } from "../shape.ts";

/** Longest compact JWS that is read, in characters (ASCII, so bytes too). */
export const MAX_JWS_LENGTH = 8192;
/** Characters of the longest key that an instance entrusts (web/microservice): an EDK and a wrapped key in it, a policy in its header. */
const MAX_LOCAL_KEY_LENGTH = 20_480;

/** A key that an instance has entrusted to its custodian (M10): JWE, compact, without an encrypted key. */
export const localKey = /* @__PURE__ */ text(
  64,
  MAX_LOCAL_KEY_LENGTH,
  /^[\w-]+\.\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/,
);
/** What an operation may name its key by: the EDK of a key that is loaded, or an entrusted key itself. */
export const keyOrEdk = /* @__PURE__ */ text(
  5,
  MAX_LOCAL_KEY_LENGTH,
  /^[\w-]+\.([\w-]+\.[\w-]+|\.[\w-]{16}\.[\w-]+\.[\w-]{22})$/,
);
