/** Loading by rewrap of several keys in one round trip (M8): each as `rewrap.ts` has it, with a receipt of its own. */

import { compactJws, list, literal, object, text } from "../../shape.ts";
import { MAX_JWS_LENGTH } from "../length.ts";
import { edks, MAX_GRANTED } from "./grant.ts";
import { attestation } from "./rewrap.ts";

const jws = /* @__PURE__ */ compactJws(MAX_JWS_LENGTH);

/** All of one account, or all of the tenant and of one principal; each once. */
export const requested = /* @__PURE__ */ object(
  {
    way: /* @__PURE__ */ literal("several"),
    edks,
    certificate: /* @__PURE__ */ text(0, 8192),
  },
  { attestation },
);

/** In the order of the EDKs. */
export const loaded = /* @__PURE__ */ object({
  way: /* @__PURE__ */ literal("several"),
  keys: /* @__PURE__ */ list(
    /* @__PURE__ */ object({
      edk: jws,
      wrappedKey: /* @__PURE__ */ text(1, 2048, /^[\w-]+$/),
      receipt: jws,
    }),
    1,
    MAX_GRANTED,
  ),
});
