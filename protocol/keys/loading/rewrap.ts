import { compactJws, literal, object, text } from "../../shape.ts";
import { MAX_JWS_LENGTH } from "../length.ts";

/**
 * A data key rewrapped to the instance (M8). EDK and receipt are compact JWS; `wrappedKey` is RSA-OAEP (SHA-256) to the
 * instance's wrapping certificate, base64url.
 */
export const rewrapped = /* @__PURE__ */ object({
  way: literal("rewrap"),
  edk: compactJws(MAX_JWS_LENGTH),
  wrappedKey: text(1, 2048, /^[\w-]+$/),
  receipt: compactJws(MAX_JWS_LENGTH),
});
