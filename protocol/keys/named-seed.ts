/** Shapes of what names a seed, and a key of it (M9). Apart, for those who need no key to know them. */

import { MAX_LABEL, SEED_PARAMETERS } from "../seed.ts";
import { base64url, literal, type Of, object, text } from "../shape.ts";

/** Keys of one seed that one grant is for. */
export const MAX_LABELS = 16;
export const label = /* @__PURE__ */ text(0, MAX_LABEL, /^[\w.-]*$/);
/** Of 16 random bytes, which the custodian chooses for each order, and of 32. */
const salt = /* @__PURE__ */ base64url(16);
const seedDigest = /* @__PURE__ */ base64url(32);

/** Which seed: `digest` as `digestOfSeed` gives it. */
export const namedSeed = { salt, digest: seedDigest };

/** What an EDK says of a key that is derived. `key`: identifier of the tenant's HMAC key at the HSM. */
export const seedOfKey = /* @__PURE__ */ object({
  parameters: /* @__PURE__ */ literal(SEED_PARAMETERS),
  key: /* @__PURE__ */ text(1, 64),
  label,
  ...namedSeed,
});
export type SeedOfKey = Of<typeof seedOfKey>;
