/** Instances of others, for admins of a tenant: in the shipped page and its programs alone. Times are seconds since 1970. */

import { line, list, open } from "../shape.ts";
import { instanceId, userId } from "./names.ts";
import type { Route } from "./route.ts";
import { listedInstance } from "./rows.ts";

/** Of all apps, the newest first; empty for whom the tenant does not know. */
export const listUserInstances = {
  site: "app",
  method: "GET",
  path: "/admin/users/{user}/instances",
  authentication: "token",
  parameters: { user: userId },
  answer: {
    status: 200,
    json: open({ instances: list(open({ ...listedInstance, client: line(512) }), 0, 100) }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

/** From then on no key is released to it; the user's others go on. */
export const revokeUserInstance = {
  site: "app",
  method: "DELETE",
  path: "/admin/users/{user}/instances/{id}",
  authentication: "token",
  parameters: { user: userId, id: instanceId },
  answer: { status: 204 },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;
