/** What codes mean where a document is shared, and what to do then. */

import type { ErrorCode } from "#web/browser/index.ts";
import type { Words } from "./words.ts";

export const SHARING = {
  "not-found": "There is no such account, or the document is not there any more.",
  conflict: "You cannot share with the same account, or share a document that is not finished.",
  "quota-exceeded": "One of the two accounts has reached its limit of shares.",
  "invalid-edk":
    "Its key opens other documents too, or may not be passed on: it cannot be shared. Seal it in an account that both of you are members of.",
  "share-ended": "It is not shared any more.",
  forbidden: "You may not do that in this account.",
} as const satisfies Partial<Record<ErrorCode, Words>>;
