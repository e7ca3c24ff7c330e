/** What the KMS knows of a data key, of an account or of the tenant itself (M17), how keys are looked for by pages, and what of one can be changed. */

import { KEY_OPERATIONS } from "../policy/index.ts";
import { line, list, literal, nullable, object, open, seconds, set, text, whole } from "../shape.ts";
import { keyTags, keyVersion } from "./names.ts";

/** Of one page. */
const MAX_PAGE = 100;

const state = literal("enabled", "disabled");
/** Of these one that is to be deleted is `ending`, whatever it was before. */
const standing = literal("enabled", "disabled", "ending");

const known = {
  ...{ key: keyVersion, owner: text(1, 256), purpose: text(1, 64), created: seconds, tags: keyTags },
  operations: set(literal(...KEY_OPERATIONS), 0, KEY_OPERATIONS.length),
  /** How often it was released to an instance, or used in the HSM. What an instance does with it is told to nobody. */
  releases: whole(0),
};
/** `ends`: when it is deleted; it is released to nobody until then. */
const maybe = { expires: seconds, lastReleased: seconds, ends: seconds };

/** One of the tenant itself is of no account. */
export const description = open({ ...known, state }, { account: text(1, 64), ...maybe });
export const descriptions = list(description, 0, MAX_PAGE);

/** For an admin, who has to do with all apps. */
export const userKey = open({ ...known, client: line(512), state: standing }, maybe);
export const userKeys = list(userKey, 0, MAX_PAGE);

/** Those after `after`. Purposes, states and tags that are named have to fit. */
export const pageOfKeys = {
  required: {},
  optional: {
    ...{ after: keyVersion, purpose: text(1, 64), state: standing },
    limit: text(1, 3, /^([1-9]\d?|100)$/),
    tag: text(1, 64),
  },
} as const;

/** What is named changes. `ends`: seconds since 1970, at least a day ahead; null calls it off as long as it has not come. */
export const keyChange = object({}, { state, tags: keyTags, ends: nullable(seconds) });
