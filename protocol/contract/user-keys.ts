/** Data keys of the tenant itself that others have ordered, for admins of a tenant: in the shipped page and its programs alone. */

import { boolean, line, list, nullable, object, open, seconds, text } from "../shape.ts";
import { keyVersion, userId } from "./names.ts";
import type { Route } from "./route.ts";

/** Of all apps, by identifier; those after `after`. Empty for whom the tenant does not know. */
export const listUserKeys = {
  site: "app",
  method: "GET",
  path: "/admin/users/{user}/keys",
  authentication: "token",
  parameters: { user: userId },
  query: { required: {}, optional: { after: keyVersion } },
  answer: {
    status: 200,
    json: open({
      keys: list(
        open(
          { key: keyVersion, client: line(512), purpose: text(1, 64), created: seconds },
          { expires: seconds, ends: seconds },
        ),
        0,
        100,
      ),
      more: boolean,
    }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

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
