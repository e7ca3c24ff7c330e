/**
 * Keys that the KMS retains (M11): the instance asks for them itself, by their identifiers or for all that it is entitled to, and no
 * custodian has a grant or a key for it, wrapped or not. What comes is a rewrapped key each, with its receipt (`rewrap.ts`).
 */

import { utf8 } from "../../bytes.ts";
import { digest } from "../../digest.ts";
import { base64url, compactJws, list, literal, type Of, object, open, seconds, text } from "../../shape.ts";
import { MAX_JWS_LENGTH } from "../length.ts";
import { MAX_GRANTED } from "./grant.ts";

const jws = /* @__PURE__ */ compactJws(MAX_JWS_LENGTH);
/** `<id>.<version>`. */
const key = /* @__PURE__ */ text(3, 80, /^[\w-]{1,64}\.[1-9]\d{0,8}$/);
const account = /* @__PURE__ */ text(1, 64);
const keys = /* @__PURE__ */ list(key, 1, MAX_GRANTED);

/**
 * What the custodian says: whose keys, of an account or, with `owner` in its place, of the tenant itself (for which principal they were made:
 * there they are registered); and which of them: all that the
 * instance may have where it says none.
 */
export const handed = /* @__PURE__ */ object(
  { way: /* @__PURE__ */ literal("retained") },
  { account, owner: account, keys },
);

/** Seconds for which a request is good. */
export const RETAINED_SECONDS = 60;

/**
 * What the instance sends. `jti`: 128 random bits, good once; `iat`: seconds since 1970; `after`: the last key of the page before;
 * `identityCertificate`: DER; `proof`: ECDSA r || s by the identity key over `retainedInput`. Bytes are base64url.
 */
export const retainedRequest = /* @__PURE__ */ object(
  {
    instance: /* @__PURE__ */ text(1, 128),
    custodian: /* @__PURE__ */ text(1, 1024),
    identityCertificate: /* @__PURE__ */ base64url(1, 4096),
    jti: /* @__PURE__ */ base64url(16),
    iat: seconds,
    proof: /* @__PURE__ */ base64url(64),
  },
  { account, owner: account, keys, after: key },
);
export type RetainedRequest = Of<typeof retainedRequest>;

/** `next`: the page after this one begins there. */
export const retainedKeys = /* @__PURE__ */ open(
  {
    keys: /* @__PURE__ */ list(
      /* @__PURE__ */ object({
        edk: jws,
        wrappedKey: /* @__PURE__ */ text(1, 2048, /^[\w-]+$/),
        receipt: jws,
      }),
      0,
      MAX_GRANTED,
    ),
  },
  { next: key },
);
export type RetainedKeys = Of<typeof retainedKeys>;

/** What the instance's identity key signs (ECDSA with SHA-256). */
export async function retainedInput(of: Omit<RetainedRequest, "proof">): Promise<Uint8Array<ArrayBuffer>> {
  const { instance, custodian, account = null, owner, jti, iat, keys = null, after = null } = of;
  const whose = owner === undefined ? [] : [owner];
  const said = JSON.stringify([instance, custodian, account, jti, iat, keys, after, ...whose]);
  return utf8(`coffer-retained-v1\0${await digest(said)}`);
}
