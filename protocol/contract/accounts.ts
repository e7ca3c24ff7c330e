/** Accounts of the user who is signed in (W11). Times are seconds since 1970. */

import { line, object, open } from "../shape.ts";
import { identifier, uuid } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";

/** A person reads it; it is not secret to the servers. Characters. */
const name = line(128);

/** Another account. `nonce` is random: the same request again is answered as the first time. */
export const createAccount = {
  site: "app",
  method: "POST",
  path: "/accounts",
  authentication: "token",
  request: { json: object({ name, nonce: uuid }) },
  answer: { status: 201, json: open({ id: identifier, name }) },
  problems: ["forbidden", "quota-exceeded"],
} as const satisfies Route;
export type NewAccountRequest = BodyOf<typeof createAccount>;
