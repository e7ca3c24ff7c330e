/** Members of accounts: who may act for one, and as what. Times are seconds since 1970. */

import { ACCOUNT_ROLES } from "../roles.ts";
import { list, literal, type Of, object, open, seconds, text } from "../shape.ts";
import { identifier, userId } from "./names.ts";
import type { Route } from "./route.ts";
import { ownAccounts } from "./rows.ts";

const role = literal(...ACCOUNT_ROLES);

/** The caller's own, the oldest first: also those that somebody has shared since the last token. */
export const listAccounts = {
  site: "app",
  method: "GET",
  path: "/accounts",
  authentication: "token",
  answer: { status: 200, json: open({ accounts: ownAccounts }) },
  problems: ["forbidden"],
} as const satisfies Route;

/** `name`: as the provider told it when the member came; empty for who was one before. */
const accountMember = open({ user: userId, name: text(0, 64), role, since: seconds });
export type AccountMember = Of<typeof accountMember>;

/** For its members. */
export const listMembers = {
  site: "app",
  method: "GET",
  path: "/accounts/{account}/members",
  authentication: "token",
  parameters: { account: identifier },
  answer: { status: 200, json: open({ members: list(accountMember, 0, 100) }) },
  problems: ["forbidden"],
} as const satisfies Route;

/** For owners: another member, who opens what is there from now on, or another role for one. The last owner stays one (`conflict`). */
export const putMember = {
  site: "app",
  method: "POST",
  path: "/accounts/{account}/members",
  authentication: "token",
  parameters: { account: identifier },
  request: { json: object({ user: userId, role }) },
  answer: { status: 204 },
  problems: ["forbidden", "not-found", "conflict", "quota-exceeded"],
} as const satisfies Route;

/** For owners, or the member itself. Nothing is given to that member from now on. */
export const removeMember = {
  site: "app",
  method: "DELETE",
  path: "/accounts/{account}/members/{user}",
  authentication: "token",
  parameters: { account: identifier, user: userId },
  answer: { status: 204 },
  problems: ["forbidden", "conflict"],
} as const satisfies Route;
