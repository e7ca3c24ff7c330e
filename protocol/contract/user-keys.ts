/** Data keys of the tenant itself that others have ordered, for admins of a tenant: in the shipped page and its programs alone. */

import { boolean, line, list, literal, nullable, object, open, seconds, text } from "../shape.ts";
import { keyVersion, userId } from "./names.ts";
import type { AnswerOf, QueryOf, Route } from "./route.ts";

/** Given to nobody: one that is disabled, or is to be deleted. */
const state = literal("enabled", "disabled", "ending");

/** Of all apps, by identifier; those after `after`. A purpose and a state that are named have to fit. Empty for whom the tenant does not know. */
export const listUserKeys = {
  site: "app",
  method: "GET",
  path: "/admin/users/{user}/keys",
  authentication: "token",
  parameters: { user: userId },
  query: { required: {}, optional: { after: keyVersion, purpose: text(1, 64), state } },
  answer: {
    status: 200,
    json: open({
      keys: list(
        open(
          { key: keyVersion, client: line(512), purpose: text(1, 64), created: seconds, state },
          { expires: seconds, ends: seconds, lastReleased: seconds },
        ),
        0,
        100,
      ),
      more: boolean,
    }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

export type UserKeysQuery = QueryOf<typeof listUserKeys>;
export type UserKeys = AnswerOf<typeof listUserKeys>;

/** As `endOwnKey`, and who has ordered the key cannot call it off, nor an admin what that one has decided. */
export const endUserKey = {
  site: "app",
  method: "PUT",
  path: "/admin/users/{user}/keys/{key}",
  authentication: "token",
  parameters: { user: userId, key: keyVersion },
  request: { json: object({ ends: nullable(seconds) }) },
  answer: { status: 204 },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;
