/** Application servers as clients of their own (RFC 6749 §2.1): who is one, for admins. Times are seconds since 1970. */

import { ecPublicJwk } from "../jwk.ts";
import { base64url, compactJws, line, list, type Of, object, open, seconds } from "../shape.ts";
import { plainName, userId } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";

/** `id`: of the client as a user, by which accounts and groups name it. `key`: thumbprint (RFC 7638) of its public key. */
const registeredClient = open({
  name: plainName,
  id: userId,
  /** The one app that it is a custodian of. */
  app: line(512),
  key: base64url(32),
  since: seconds,
});
export type RegisteredClient = Of<typeof registeredClient>;

export const listClients = {
  site: "app",
  method: "GET",
  path: "/admin/clients",
  authentication: "token",
  answer: { status: 200, json: open({ clients: list(registeredClient, 0, 256) }) },
  problems: ["forbidden"],
} as const satisfies Route;

/**
 * Registers a client under a name. `jwk`: its public key. `app`: id or origin of one of the tenant's apps, the first unless it is said. The same again
 * changes nothing. With `change` (`KEY_CHANGE_JWT_TYPE`), the client of that name has another key from now on, and what was issued by the one before
 * ends. Another key without it is another client, with an id of its own and nothing of the one before, which is removed. Answered once that has
 * happened; `internal` where it has not yet, and will.
 */
export const registerClient = {
  site: "app",
  method: "PUT",
  path: "/admin/clients/{client}",
  authentication: "token",
  parameters: { client: plainName },
  request: { json: object({ jwk: ecPublicJwk }, { app: line(512), change: compactJws(4096) }) },
  answer: { status: 200, json: open({ id: userId }) },
  problems: ["forbidden", "not-found", "quota-exceeded"],
} as const satisfies Route;
export type ClientRegistration = BodyOf<typeof registerClient>;

/** Ends it, with its tokens and instances. Answered once that has happened, and again; `internal` where it has not yet, and will. */
export const removeClient = {
  site: "app",
  method: "DELETE",
  path: "/admin/clients/{client}",
  authentication: "token",
  parameters: { client: plainName },
  answer: { status: 204 },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;
