/**
 * Loading by grant (M7): the custodian hands a grant of the KMS and EDKs over; the instance presents them itself, over a
 * channel whose other end is in the HSM. What comes is a rewrapped key for each EDK, with its receipt (`rewrap.ts`).
 */

import { HYBRID_LENGTH } from "../../hybrid.ts";
import { base64url, compactJws, list, literal, type Of, object, open } from "../../shape.ts";
import { MAX_JWS_LENGTH } from "../length.ts";

/** Maximum of keys that one grant is for. */
export const MAX_GRANTED = 100;
const jws = /* @__PURE__ */ compactJws(MAX_JWS_LENGTH);

/** 256 random bits. */
export const grant = /* @__PURE__ */ base64url(32);
export const edks = /* @__PURE__ */ list(jws, 1, MAX_GRANTED);

/** What the custodian hands over. */
export const handed = /* @__PURE__ */ object({
  way: /* @__PURE__ */ literal("grant"),
  grant,
  edks,
});

/**
 * What the instance presents. `share`: of a key pair of X25519 that it makes for this, raw; `identityCertificate`: DER; `proof`:
 * ECDSA r || s by the identity key over `presentationInput`. All base64url.
 */
export const presentation = /* @__PURE__ */ object({
  grant,
  edks,
  share: /* @__PURE__ */ base64url(32),
  identityCertificate: /* @__PURE__ */ base64url(1, 4096),
  proof: /* @__PURE__ */ base64url(64),
});
export type Presentation = Of<typeof presentation>;

/**
 * What comes back: the HSM's share, and the wrapped keys in the order of the EDKs, all of one length,
 * under the channel's key (AES-256-GCM, nonce of 12 bytes, the tag at the end).
 */
export const presented = /* @__PURE__ */ open({
  share: /* @__PURE__ */ base64url(32),
  nonce: /* @__PURE__ */ base64url(12),
  sealed: /* @__PURE__ */ base64url(384, MAX_GRANTED * HYBRID_LENGTH + 16),
  receipts: /* @__PURE__ */ list(jws, 1, MAX_GRANTED),
});
export type Presented = Of<typeof presented>;
