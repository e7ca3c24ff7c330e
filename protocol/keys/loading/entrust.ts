/** Stateless mode (M10): loaded keys go to the custodian, encrypted under the instance's local master key, in the order of the EDKs. */

import { list, object } from "../../shape.ts";
import { localKey } from "../length.ts";
import { edks, MAX_GRANTED } from "./grant.ts";

export const entrusting = /* @__PURE__ */ object({ edks });
export const entrusted = /* @__PURE__ */ object({ keys: /* @__PURE__ */ list(localKey, 1, MAX_GRANTED) });
