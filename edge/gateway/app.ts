import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { developmentSignIn } from "../iam/development.ts";
import { serveAsset } from "./assets.ts";
import type { GatewayContext, GatewayEnv } from "./context.ts";
import { commonHeaders, nothingPolicy, transportSecurity } from "./headers.ts";
import { problemResponse, Refused } from "./problem.ts";
import { appSite } from "./routes/app-site.ts";
import { vaultSite } from "./routes/vault-site.ts";
import { configuredOrigins, isSameHost, type Site, siteOf } from "./sites.ts";

type Handed = Pick<GatewayEnv["Variables"], "requestId" | "origins" | "site">;

/** The gateway: chooses the site by host, gives every response its headers, and every failure its problem document. */
export function createApp(): Hono<GatewayEnv> {
  const gateway = new Hono<GatewayEnv>();
  const handed = new WeakMap<Request, Handed>();
  const app = complete(appSite(), handed);
  const vaultWith = (signInByName: boolean) => complete(vaultSite({ signInByName }), handed);
  const [vault, vaultInDevelopment] = [vaultWith(false), vaultWith(true)];
  let byName: ReturnType<typeof developmentSignIn> | undefined;

  gateway.all("*", async (c) => {
    const requestId = crypto.randomUUID();
    const origins = configuredOrigins(c.env);
    const url = new URL(c.req.url);
    const site = isSameHost(url, c.req.header("host")) ? siteOf(url, origins) : null;
    const refused = site === null ? "wrong-host" : isForeignWrite(c, site) ? "foreign-origin" : null;
    if (site === null || refused !== null) {
      return dress(problemResponse(refused ?? "wrong-host", requestId), c.env, requestId);
    }
    const long = tooLong(c);
    if (long !== null) return dress(problemResponse(long, requestId), c.env, requestId);
    handed.set(c.req.raw, { requestId, origins, site });
    if (byName === undefined) {
      byName = developmentSignIn(c.env);
      console.info(JSON.stringify({ event: "development-sign-in", ...byName }));
    }
    const routes = site.name === "app" ? app : byName.allowed ? vaultInDevelopment : vault;
    return dress(await routes.fetch(c.req.raw, c.env, c.executionCtx), c.env, requestId);
  });
  return gateway;
}

/** Bytes of a request's address, and of all its headers. The longest of ours are an authorization request and a token. */
const LONGEST_URL = 8 * 1024;
const LONGEST_HEADERS = 32 * 1024;

function tooLong({ req }: GatewayContext): "uri-too-long" | "headers-too-large" | null {
  if (req.url.length > LONGEST_URL) return "uri-too-long";
  let length = 0;
  for (const [name, value] of req.raw.headers) length += name.length + value.length + 4;
  return length > LONGEST_HEADERS ? "headers-too-large" : null;
}

/** A write by a script of another origin, refused before anything looks at it. Sign-out has rules of its own. */
function isForeignWrite(c: GatewayContext, site: Site): boolean {
  const { method, path } = c.req;
  if (method === "GET" || method === "HEAD") return false;
  if (site.name === "vault" && path === "/sign-out") return false;
  const origin = c.req.header("origin");
  return origin !== undefined && origin !== site.origin;
}

/** Adds what every site has: request variables, 405, 404 and the error handler. */
function complete(routes: Hono<GatewayEnv>, handed: WeakMap<Request, Handed>): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.use(async function variables(c, next) {
    const { requestId, origins, site: here } = handed.get(c.req.raw)!;
    c.set("requestId", requestId);
    c.set("origins", origins);
    c.set("site", here);
    await next();
  });
  site.use(
    methodNotAllowed({
      app: site,
      onMethodNotAllowed: (c, methods) =>
        problemResponse("method-not-allowed", c.var.requestId, { headers: { allow: methods.join(", ") } }),
    }),
  );
  site.get("/favicon.ico", async (c) => {
    const icon = await serveAsset(c, "favicon.svg");
    // Firefox shows JSON in a document of its own, which is another origin.
    icon.headers.set("cross-origin-resource-policy", "cross-origin");
    return icon;
  });
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
  // By this a client whose proof was refused knows how far its clock is off.
  headers.set("date", new Date().toUTCString());
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", nothingPolicy);
  // frame-ancestors says it better where a frame is wanted.
  if (!headers.get("content-security-policy")!.includes("frame-ancestors 'none'"))
    headers.delete("x-frame-options");
  if (env.COFFER_VAULT_ORIGIN.startsWith("https:"))
    headers.set("strict-transport-security", transportSecurity);
  return dressed;
}
