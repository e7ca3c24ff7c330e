/** The tenant's policy of statements, for admins (docs/policies.md). Times are seconds since 1970. */

import { MAX_POLICY_LENGTH } from "../policy-length.ts";
import { list, nullable, type Of, object, open, seconds, text, whole } from "../shape.ts";
import { userId } from "./names.ts";
import type { Route } from "./route.ts";

const policy = nullable(text(1, MAX_POLICY_LENGTH));

/** `policy` is the one that holds, null where there is none; versions, the newest first. */
export const listPolicies = {
  site: "app",
  method: "GET",
  path: "/admin/policies",
  authentication: "token",
  answer: {
    status: 200,
    json: open({
      policy,
      versions: list(open({ version: whole(1), since: seconds, by: userId }), 0, 20),
    }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

/** In the place of `version`, the newest that the caller has seen; 0 for the first. Null: the tenant has none. */
const policyChange = object({ version: whole(0), policy });
export type PolicyChange = Of<typeof policyChange>;

/** Holds everywhere within ten seconds. What is no policy of statements is `bad-request`. */
export const putPolicy = {
  site: "app",
  method: "POST",
  path: "/admin/policies",
  authentication: "token",
  request: { json: policyChange, limit: 256 << 10 },
  answer: { status: 200, json: open({ version: whole(1) }) },
  problems: ["forbidden", "conflict"],
} as const satisfies Route;
