/** Administration of a tenant: roles and groups. For admins, in the shipped page and its programs alone. Times are seconds since 1970. */

import { groupName, TENANT_ROLES } from "../roles.ts";
import { line, list, literal, open, seconds, whole } from "../shape.ts";
import { userId } from "./names.ts";
import type { Route } from "./route.ts";
import { ownAccounts } from "./rows.ts";

const role = literal(...TENANT_ROLES);

/** What the caller is to the tenant; and its accounts, as `GET /accounts` has them, so that a page asks once. An earlier release answers without. */
export const readStanding = {
  site: "app",
  method: "GET",
  path: "/standing",
  authentication: "token",
  answer: {
    status: 200,
    json: open(
      { user: userId, roles: list(line(63), 0, 16), groups: list(line(63), 0, 128) },
      { accounts: ownAccounts },
    ),
  },
  problems: ["forbidden"],
} as const satisfies Route;

export const listRoles = {
  site: "app",
  method: "GET",
  path: "/admin/roles",
  authentication: "token",
  answer: { status: 200, json: open({ roles: list(open({ user: userId, role, since: seconds }), 0, 1000) }) },
  problems: ["forbidden"],
} as const satisfies Route;

export const grantRole = {
  site: "app",
  method: "PUT",
  path: "/admin/roles/{role}/{user}",
  authentication: "token",
  parameters: { role, user: userId },
  answer: { status: 204 },
  problems: ["forbidden", "quota-exceeded"],
} as const satisfies Route;

/** Withdrawn at once, from the request on that is decided next. */
export const withdrawRole = {
  site: "app",
  method: "DELETE",
  path: "/admin/roles/{role}/{user}",
  authentication: "token",
  parameters: { role, user: userId },
  answer: { status: 204 },
  problems: ["forbidden"],
} as const satisfies Route;

export const listGroups = {
  site: "app",
  method: "GET",
  path: "/admin/groups",
  authentication: "token",
  answer: {
    status: 200,
    json: open({ groups: list(open({ group: groupName, members: whole(0) }), 0, 256) }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

/** In the order of ids. `cursor`, where there is more, is for the next page. */
export const listGroup = {
  site: "app",
  method: "GET",
  path: "/admin/groups/{group}",
  authentication: "token",
  parameters: { group: groupName },
  query: { required: {}, optional: { cursor: userId } },
  answer: {
    status: 200,
    json: open({ members: list(open({ user: userId, since: seconds }), 0, 100) }, { cursor: userId }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

export const addToGroup = {
  site: "app",
  method: "PUT",
  path: "/admin/groups/{group}/{user}",
  authentication: "token",
  parameters: { group: groupName, user: userId },
  answer: { status: 204 },
  problems: ["forbidden", "quota-exceeded"],
} as const satisfies Route;

export const removeFromGroup = {
  site: "app",
  method: "DELETE",
  path: "/admin/groups/{group}/{user}",
  authentication: "token",
  parameters: { group: groupName, user: userId },
  answer: { status: 204 },
  problems: ["forbidden"],
} as const satisfies Route;
