import type { Applicant } from "../ra/index.ts";
import { type GatewayContext, tenantOf } from "./context.ts";
import { sessionCookie } from "./cookie.ts";
import { Refused, unwrap } from "./problem.ts";

/** Who is behind the vault's cookie, and the origin of the document that asked. */
export type SignedIn = { session: string; tenant: string; user: string; origin: string; requestId: string };

/**
 * Only documents of the vault's own origin: a browser cannot be talked into another Origin header, and omits
 * it from reads alone.
 */
export function requireOwnOrigin(c: GatewayContext): string {
  const { vault } = c.var.origins;
  const reads = c.req.method === "GET" || c.req.method === "HEAD";
  const origin = c.req.header("origin") ?? (reads ? vault : undefined);
  if (origin !== vault) throw new Refused("foreign-origin");
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin") throw new Refused("foreign-origin");
  return origin;
}

/** Whom the vault's cookie stands for, on a request of the vault's own document (M13). */
export async function signedIn(c: GatewayContext): Promise<SignedIn> {
  const origin = requireOwnOrigin(c);
  const cookie = sessionCookie(c);
  if (cookie === null) throw new Refused("no-session");
  const { requestId } = c.var;
  const tenant = tenantOf(c);
  const { id, user } = unwrap(await c.env.IAM.session({ tenant, cookie, requestId }));
  return { session: id, tenant, user, origin, requestId };
}

/** Who opens or redeems an enrolment session: whom the cookie stands for or, without one, anyone. */
export async function applicant(c: GatewayContext): Promise<Applicant> {
  const { requestId } = c.var;
  const origin = requireOwnOrigin(c);
  if (sessionCookie(c) === null) return { tenant: tenantOf(c), user: null, origin, requestId };
  const { tenant, user } = await signedIn(c);
  return { tenant, user, origin, requestId };
}
