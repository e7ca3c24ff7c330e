/** The vault's session: whose it is, and its end. */

import { open } from "../shape.ts";
import { plainName } from "./names.ts";
import type { Route } from "./route.ts";

/** Whom the vault's cookie stands for. `session` names the session itself, from sign-in to sign-out. */
export const session = {
  site: "vault",
  method: "GET",
  path: "/session",
  authentication: "session",
  answer: { status: 200, json: open({ tenant: plainName, user: plainName, session: plainName }) },
  problems: [],
} as const satisfies Route;

/** An app ends its own sign-in, the vault itself the whole session; by the Origin header. */
export const signOut = {
  site: "vault",
  method: "POST",
  path: "/sign-out",
  authentication: "session-if-any",
  answer: { status: 204 },
  problems: [],
} as const satisfies Route;
