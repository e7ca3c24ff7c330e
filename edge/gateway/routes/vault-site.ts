import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { serveAsset } from "../assets.ts";
import { readForm, readJson } from "../body.ts";
import type { GatewayContext, GatewayEnv } from "../context.ts";
import { clearSessionCookie, sessionCookie, setSessionCookie } from "../cookie.ts";
import { signInPolicy, vaultPolicy } from "../headers.ts";
import { Refused, unwrap } from "../problem.ts";
import { signInPage, signInStyle } from "../sign-in-page.ts";

/** The vault's origin: its document, sign-in, and enrolment, which takes cookie and Origin together (M13). */
export function vaultSite(): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.get("/", (c) => serveAsset(c, "index.html", vaultPolicy(c.var.origins)));

  // Whom the vault's loader may serve. Kept by the browser (revalidated each time), so that the vault loads offline too.
  site.get("/configuration.json", (c) =>
    c.json({ appOrigins: c.var.origins.apps }, 200, { "cache-control": "no-cache" }),
  );

  // RFC 8414.
  site.get("/.well-known/oauth-authorization-server", (c) => {
    const { vault, apps } = c.var.origins;
    return c.json({
      issuer: vault,
      authorization_endpoint: `${vault}/authorize`,
      token_endpoint: `${apps[0]}/token`,
      response_types_supported: ["code"],
      grant_types_supported: ["authorization_code", "refresh_token"],
      code_challenge_methods_supported: ["S256"],
      token_endpoint_auth_methods_supported: ["none"],
      authorization_response_iss_parameter_supported: true,
      dpop_signing_alg_values_supported: ["ES256"],
    });
  });

  site.get("/authorize", async (c) => {
    // A person goes there; frames, scripts and images do not.
    const destination = c.req.header("sec-fetch-dest");
    if (destination !== undefined && destination !== "document") throw new Refused("foreign-origin");
    const { search } = new URL(c.req.url);
    return authorize(c, search.slice(1));
  });

  site.post("/sign-in", ownOrigin(), async (c) => {
    const form = await readForm(c.req.raw);
    const query = form.get("continue") ?? "";
    const { requestId } = c.var;
    const result = await c.env.IAM.signIn({ name: form.get("name") ?? "", requestId });
    if (!result.ok && result.problem.code === "bad-request")
      return authorize(c, query, "Type a name of 1 to 64 characters.");
    const { cookie, maxAge } = unwrap(result);
    setSessionCookie(c, cookie, maxAge);
    return c.redirect(`/authorize?${new URLSearchParams(query)}`, 303);
  });
  site.get("/sign-in.css", (c) => c.body(signInStyle, 200, { "content-type": "text/css; charset=utf-8" }));

  // An app may end the sign-in that it began; the answer is nothing that it could read.
  site.post("/sign-out", async (c) => {
    const { vault, apps } = c.var.origins;
    const origin = c.req.header("origin");
    if (origin === undefined || ![vault, ...apps].includes(origin)) throw new Refused("foreign-origin");
    const cookie = sessionCookie(c);
    if (cookie !== null) unwrap(await c.env.IAM.signOut({ cookie, requestId: c.var.requestId }));
    clearSessionCookie(c);
    return c.body(null, 204, { "cross-origin-resource-policy": "cross-origin" });
  });

  // Whom the cookie stands for: the microservice holds the custodian's name that a page tells it against this (M13).
  site.get("/session", async (c) => {
    const from = c.req.header("sec-fetch-site") ?? "same-origin";
    const origin = c.req.header("origin") ?? c.var.origins.vault;
    if (from !== "same-origin" || origin !== c.var.origins.vault) throw new Refused("foreign-origin");
    const { tenant, user } = await signedIn(c);
    return c.json({ tenant, user });
  });

  site.post("/ra/enrolments", ownOrigin(), async (c) => {
    const by = await signedIn(c);
    return c.json(unwrap(await c.env.RA.openEnrolment(by)), 201);
  });
  site.post("/ra/enrolments/:id", ownOrigin(), async (c) => {
    const by = await signedIn(c);
    const body = await readJson(c.req.raw);
    return c.json(unwrap(await c.env.RA.redeemEnrolment(by, c.req.param("id"), body)));
  });

  site.get("/:file{[\\w-]+\\.[\\w.-]+}", (c) => serveAsset(c, c.req.param("file")));
  return site;
}

/** Only documents of the vault's own origin: a browser cannot be talked into another Origin header. */
function ownOrigin() {
  return createMiddleware<GatewayEnv>(async function ownOrigin(c, next) {
    if (c.req.header("origin") !== c.var.origins.vault) throw new Refused("foreign-origin");
    const site = c.req.header("sec-fetch-site");
    if (site !== undefined && site !== "same-origin") throw new Refused("foreign-origin");
    await next();
  });
}

async function signedIn(c: GatewayContext) {
  const cookie = sessionCookie(c);
  if (cookie === null) throw new Refused("no-session");
  const { requestId } = c.var;
  const { tenant, user } = unwrap(await c.env.IAM.session({ cookie, requestId }));
  return { tenant, user, origin: c.req.header("origin")!, requestId };
}

async function authorize(c: GatewayContext, query: string, mistake?: string): Promise<Response> {
  const { requestId, origins } = c.var;
  const result = await c.env.IAM.authorize({ query, cookie: sessionCookie(c), requestId });
  const policy = { "content-security-policy": signInPolicy(origins) };
  if (!result.ok) {
    const { code, status } = result.problem;
    if (code !== "invalid-client") throw new Refused(code);
    return c.html(signInPage({ kind: "unknown-client" }), status as 400, policy);
  }
  const answer = result.value;
  if (answer.next === "redirect") return c.redirect(answer.location, 302);
  if (!answer.signIn) return c.html(signInPage({ kind: "no-sign-in" }), 403, policy);
  const { host } = new URL(answer.origin);
  return c.html(
    signInPage({ kind: "form", app: host, query, mistake }),
    mistake === undefined ? 200 : 400,
    policy,
  );
}
