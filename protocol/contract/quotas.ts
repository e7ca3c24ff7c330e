/** What an account uses and may use, for admins of a tenant: in the shipped page and its programs alone. Times are seconds since 1970. */

import { object, open, seconds, whole } from "../shape.ts";
import { identifier, userId } from "./names.ts";
import type { AnswerOf, BodyOf, Route } from "./route.ts";

const amount = { documents: whole(0), bytes: whole(0) };

/** `used`: uploads under way and documents of all apps. `quota`: what it may use, `most` what the deployment allows an account; `set`: by whom, if an admin has. */
export const readQuota = {
  site: "app",
  method: "GET",
  path: "/admin/accounts/{account}/quota",
  authentication: "token",
  parameters: { account: identifier },
  answer: {
    status: 200,
    json: open(
      { used: open(amount), quota: open(amount), most: open(amount) },
      { set: open({ by: userId, since: seconds }) },
    ),
  },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;
export type AccountQuota = AnswerOf<typeof readQuota>;

/**
 * In the place of what was set before; what is left out is as the deployment has it. What there is stays, below it nothing more comes.
 * `quota-exceeded` for more than the deployment allows.
 */
export const setQuota = {
  site: "app",
  method: "PUT",
  path: "/admin/accounts/{account}/quota",
  authentication: "token",
  parameters: { account: identifier },
  request: { json: object({}, amount) },
  answer: { status: 204 },
  problems: ["forbidden", "not-found", "quota-exceeded"],
} as const satisfies Route;
export type SetQuota = BodyOf<typeof setQuota>;
