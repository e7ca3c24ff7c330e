import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import type { GatewayContext, GatewayEnv } from "./context.ts";
import { commonHeaders, nothingPolicy, transportSecurity } from "./headers.ts";
import { problemResponse, Refused } from "./problem.ts";
import { appSite } from "./routes/app-site.ts";
import { vaultSite } from "./routes/vault-site.ts";
import { configuredOrigins, siteOf } from "./sites.ts";

/** The gateway: chooses the site by host, gives every response its headers, and every failure its problem document. */
export function createApp(): Hono<GatewayEnv> {
  const gateway = new Hono<GatewayEnv>();
  const sites = { app: complete(appSite()), vault: complete(vaultSite()) };

  gateway.all("*", async (c) => {
    const requestId = crypto.randomUUID();
    const response = await answer(c, requestId, sites);
    return dress(response, c.env, requestId);
  });
  return gateway;
}

async function answer(
  c: GatewayContext,
  requestId: string,
  sites: Record<"app" | "vault", Hono<GatewayEnv>>,
): Promise<Response> {
  const origins = configuredOrigins(c.env);
  const site = siteOf(new URL(c.req.url), origins);
  if (site === null) return problemResponse("wrong-host", requestId);
  // A write by a script of another origin is refused before anything looks at it; sign-out has rules of its own.
  const origin = c.req.header("origin");
  const writes = c.req.method !== "GET" && c.req.method !== "HEAD";
  if (writes && origin !== undefined && origin !== site.origin && !isSignOut(c, site.name)) {
    return problemResponse("foreign-origin", requestId);
  }
  const variables = { requestId, origins, site };
  return sites[site.name].fetch(c.req.raw, { ...c.env, [VARIABLES]: variables }, c.executionCtx);
}

const VARIABLES = Symbol("variables");
type Handed = { [VARIABLES]: Pick<GatewayEnv["Variables"], "requestId" | "origins" | "site"> };

function isSignOut(c: GatewayContext, site: "app" | "vault"): boolean {
  return site === "vault" && c.req.path === "/sign-out";
}

/** Adds what every site has: request variables, 405, 404 and the error handler. */
function complete(routes: Hono<GatewayEnv>): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.use(async function variables(c, next) {
    const { requestId, origins, site: which } = (c.env as unknown as Handed)[VARIABLES];
    c.set("requestId", requestId);
    c.set("origins", origins);
    c.set("site", which);
    await next();
  });
  site.use(
    methodNotAllowed({
      app: site,
      onMethodNotAllowed: (c, methods) =>
        problemResponse("method-not-allowed", c.var.requestId, { headers: { allow: methods.join(", ") } }),
    }),
  );
  site.route("/", routes);
  site.notFound((c) => problemResponse("not-found", c.var.requestId));
  site.onError((error, c) => {
    if (error instanceof Refused) return problemResponse(error.code, c.var.requestId, error.extra);
    console.error(JSON.stringify({ event: "gateway-error", requestId: c.var.requestId, error: error.name }));
    return problemResponse("internal", c.var.requestId);
  });
  return site;
}

function dress(response: Response, env: Env, requestId: string): Response {
  const dressed = new Response(response.body, response);
  const { headers } = dressed;
  for (const [name, value] of Object.entries(commonHeaders)) if (!headers.has(name)) headers.set(name, value);
  headers.set("request-id", requestId);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", nothingPolicy);
  // frame-ancestors says it better where a frame is wanted.
  if (!headers.get("content-security-policy")!.includes("frame-ancestors 'none'"))
    headers.delete("x-frame-options");
  if (env.COFFER_VAULT_ORIGIN.startsWith("https:"))
    headers.set("strict-transport-security", transportSecurity);
  return dressed;
}
