import type { Context } from "hono";
import type { Caller } from "../caller.ts";
import type { Steps } from "../steps.ts";
import type { Origins, Site } from "../tenants.ts";

/** What a request carries through the gateway. */
export type GatewayEnv = {
  Bindings: Env;
  Variables: {
    requestId: string;
    origins: Origins;
    site: Site;
    caller: Caller;
    /** What the gateway asks of the domains for this request. */
    steps: Steps;
    /** A route of the contract has answered as it has it: then the steps are told. */
    answered?: true;
  };
};
export type GatewayContext = Context<GatewayEnv>;

/** The tenant that the request's host is of. */
export function tenantOf(c: GatewayContext): string {
  return c.var.site.tenant.name;
}

/** The URL as the client wrote it: the configured origin, since a proxy may have changed scheme or port. */
export function publicUrl(c: GatewayContext): string {
  const { pathname, search } = new URL(c.req.url);
  return c.var.site.origin + pathname + search;
}
