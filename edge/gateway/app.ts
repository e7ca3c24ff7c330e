import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { methodNotAllowed } from "hono/method-not-allowed";
import { signOut } from "#protocol/contract/index.ts";
import { configuredTenants, type Site, type Tenants } from "../tenants.ts";
import { serveAsset } from "./assets.ts";
import type { GatewayContext, GatewayEnv } from "./context.ts";
import { commonHeaders, nothingPolicy, transportSecurity } from "./headers.ts";
import { problemResponse, Refused } from "./problem.ts";
import { appSite, vaultSite } from "./routes/index.ts";
import { siteAt } from "./sites.ts";
import { stepsOf, watchDomains } from "./steps.ts";

/**
 * The gateway: routes by host, gives every response its headers, and every failure its problem document. The path that
 * Hono routes by begins with the site: `/app/…`, `/vault/…`.
 */
export function createApp(): Hono<GatewayEnv> {
  const gateway = new Hono<GatewayEnv>({
    getPath: (request, options) => sitePath(request, options?.env as Env),
  });
  gateway.use(dress(), entrance());
  gateway.use(
    methodNotAllowed({
      app: gateway,
      onMethodNotAllowed: (c, methods) =>
        problemResponse("method-not-allowed", c.var.requestId, { headers: { allow: methods.join(", ") } }),
    }),
  );
  gateway.get("/:site/favicon.ico", async (c) => {
    const icon = await serveAsset(c, "favicon.svg");
    // Firefox shows JSON in a document of its own, which is another origin.
    icon.headers.set("cross-origin-resource-policy", "cross-origin");
    return icon;
  });
  gateway.route("/app", appSite());
  gateway.route("/vault", vaultSite());
  gateway.notFound((c) => problemResponse("not-found", c.var.requestId));
  gateway.onError((error, c) => {
    if (error instanceof Refused) return problemResponse(error.code, c.var.requestId, error.extra);
    console.error(JSON.stringify({ event: "gateway-error", requestId: c.var.requestId, error: error.name }));
    return problemResponse("internal", c.var.requestId);
  });
  return gateway;
}

/**
 * Where to look for a request's route. A host that is none of ours has no routes. An app's origin has one Service Worker, whatever address a browser
 * asks for one at: where it had got another one, an answer that there is none would leave that in place (W3C Service Workers, "Update").
 */
function sitePath(request: Request, env: Env): string {
  const { pathname } = new URL(request.url);
  const site = siteOf(request, env)?.name ?? "nowhere";
  const worker = request.method === "GET" && request.headers.get("service-worker") === "script";
  if (site === "app" && worker) return "/app/service-worker.js";
  return `/${site}${pathname === "/" ? "" : pathname}`;
}

/** What is wrong with the configuration is said by `entrance`, where an error is answered. */
function siteOf(request: Request, env: Env): Site | null {
  try {
    return siteAt(request, configuredTenants(env));
  } catch {
    return null;
  }
}

/** Refuses what is for another host, of another origin or too long, before anything looks at it, and sets what the rest needs. */
function entrance() {
  let told = false;
  return createMiddleware<GatewayEnv>(async function entrance(c, next) {
    const site = siteAt(c.req.raw, configuredTenants(c.env));
    if (site === null) throw new Refused("wrong-host");
    c.set("origins", site.origins);
    c.set("site", site);
    if (isForeignWrite(c, site)) throw new Refused("foreign-origin");
    const long = tooLong(c);
    if (long !== null) throw new Refused(long);
    if (!told) tellWhoCannotSignIn(configuredTenants(c.env));
    told = true;
    watchDomains(c);
    await next();
  });
}

/** Tenants without a provider are served, and nobody there can sign in: the operator hears of it at the first request. */
function tellWhoCannotSignIn({ byName }: Tenants): void {
  const [first, ...more] = [...byName.values()].filter(({ oidc }) => oidc === null);
  if (first === undefined) return;
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  const reason = `${first.name}${others}: no identity provider (oidc), so nobody can sign in`;
  console.error(JSON.stringify({ event: "configuration", variable: "COFFER_TENANTS", reason }));
}

/** Bytes of a request's address, and of all its headers. The longest of ours are an authorization request and a token. */
const MAX_URL = 8 * 1024;
const MAX_HEADERS = 32 * 1024;

function tooLong({ req }: GatewayContext): "uri-too-long" | "headers-too-large" | null {
  if (req.url.length > MAX_URL) return "uri-too-long";
  let length = 0;
  for (const [name, value] of req.raw.headers) length += name.length + value.length + 4;
  return length > MAX_HEADERS ? "headers-too-large" : null;
}

/** A write by a script of another origin, refused before anything looks at it. Sign-out has rules of its own. */
function isForeignWrite(c: GatewayContext, site: Site): boolean {
  const { method } = c.req;
  if (method === "GET" || method === "HEAD") return false;
  if (site.name === "vault" && new URL(c.req.url).pathname === signOut.path) return false;
  const origin = c.req.header("origin");
  return origin !== undefined && origin !== site.origin;
}

/** Gives the request its id and every response its headers. */
function dress() {
  return createMiddleware<GatewayEnv>(async function dress(c, next) {
    const requestId = crypto.randomUUID();
    c.set("requestId", requestId);
    const began = Date.now();
    await next();
    const steps = stepsOf(c, began);
    const dressed = new Response(c.res.body, c.res);
    const { headers } = dressed;
    for (const [name, value] of Object.entries(commonHeaders))
      if (!headers.has(name)) headers.set(name, value);
    headers.set("request-id", requestId);
    if (steps !== undefined) headers.set("server-timing", steps);
    // By this a client whose proof was refused knows how far its clock is off.
    headers.set("date", new Date().toUTCString());
    if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", nothingPolicy);
    // frame-ancestors says it better where a frame is wanted.
    if (!headers.get("content-security-policy")?.includes("frame-ancestors 'none'"))
      headers.delete("x-frame-options");
    if (c.var.origins?.vault.startsWith("https:"))
      headers.set("strict-transport-security", transportSecurity);
    // Without this Hono would add the headers of before.
    c.res = undefined;
    c.res = dressed;
  });
}
