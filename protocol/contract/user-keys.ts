/** Data keys of the tenant itself that others have ordered, for admins of a tenant: in the shipped page and its programs alone. */

import { boolean, open } from "../shape.ts";
import { keyChange, pageOfKeys, userKey, userKeys } from "./managed-key.ts";
import { keyVersion, userId } from "./names.ts";
import type { AnswerOf, QueryOf, Route } from "./route.ts";

/** Of all apps, by identifier. Empty for whom the tenant does not know. */
export const listUserKeys = {
  site: "app",
  method: "GET",
  path: "/admin/users/{user}/keys",
  authentication: "token",
  parameters: { user: userId },
  query: pageOfKeys,
  answer: { status: 200, json: open({ keys: userKeys, more: boolean }) },
  problems: ["forbidden"],
} as const satisfies Route;

export type UserKeysQuery = QueryOf<typeof listUserKeys>;
export type UserKeys = AnswerOf<typeof listUserKeys>;

export const describeUserKey = {
  site: "app",
  method: "GET",
  path: "/admin/users/{user}/keys/{key}",
  authentication: "token",
  parameters: { user: userId, key: keyVersion },
  answer: { status: 200, json: userKey },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;
export type DescribedUserKey = AnswerOf<typeof describeUserKey>;

/** As `changeOwnKey`. Who has ordered the key changes back neither its end nor its state, nor does an admin what that one has decided. */
export const changeUserKey = {
  site: "app",
  method: "PUT",
  path: "/admin/users/{user}/keys/{key}",
  authentication: "token",
  parameters: { user: userId, key: keyVersion },
  request: { json: keyChange },
  answer: { status: 200, json: userKey },
  problems: ["forbidden", "not-found", "conflict"],
} as const satisfies Route;
