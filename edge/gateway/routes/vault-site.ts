import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import type { AuthorizeAnswer } from "../../iam/index.ts";
import type { Result } from "../../result.ts";
import { serveAsset } from "../assets.ts";
import { readForm, readJson } from "../body.ts";
import type { GatewayContext, GatewayEnv } from "../context.ts";
import { clearSessionCookie, sessionCookie, setSessionCookie } from "../cookie.ts";
import { signInPolicy, vaultPolicy } from "../headers.ts";
import { Refused, unwrap } from "../problem.ts";
import { signInPage, signInStyle } from "../sign-in-page.ts";

/**
 * The vault's origin: its document, sign-in, and enrolment, which takes cookie and Origin together (M13). Without
 * `signInByName` there is no such route: what does not exist cannot be talked into anything.
 */
export function vaultSite({ signInByName }: { signInByName: boolean }): Hono<GatewayEnv> {
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
    const query = new URL(c.req.url).search.slice(1);
    return answer(c, query, await c.env.IAM.authorize({ query, cookie: sessionCookie(c) }));
  });
  // The one way to a code with a session: a person pressed the button on the vault's own page. A script of an app can
  // open that page, and can neither press the button nor post as it.
  site.post("/authorize", ownOrigin(), async (c) => {
    const query = (await readForm(c.req.raw)).get("continue") ?? "";
    const { requestId } = c.var;
    return answer(c, query, await c.env.IAM.approve({ query, cookie: sessionCookie(c), requestId }));
  });

  if (signInByName) {
    site.post("/sign-in", ownOrigin(), async (c) => {
      const form = await readForm(c.req.raw);
      const query = form.get("continue") ?? "";
      const { requestId } = c.var;
      const name = form.get("name") ?? "";
      const result = await c.env.IAM.signIn({ name, query, cookie: sessionCookie(c), requestId });
      if (!result.ok && result.problem.code === "bad-request") {
        const asked = await c.env.IAM.authorize({ query, cookie: null });
        return answer(c, query, asked, "Type a name of 1 to 64 characters.");
      }
      if (result.ok && result.value.session !== null) {
        const { cookie, maxAge } = result.value.session;
        setSessionCookie(c, cookie, maxAge);
      }
      return answer(c, query, result);
    });
  }
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

/** What the IAM said, as a redirect to the app or as a page for the person. */
function answer(
  c: GatewayContext,
  query: string,
  result: Result<AuthorizeAnswer>,
  mistake?: string,
): Response | Promise<Response> {
  const policy = { "content-security-policy": signInPolicy(c.var.origins) };
  if (!result.ok) {
    const { code, status } = result.problem;
    if (code !== "invalid-client") throw new Refused(code);
    return c.html(signInPage({ kind: "unknown-client" }), status as 400, policy);
  }
  const { value } = result;
  // After a form the browser must come with GET (RFC 9110 §15.4.4).
  if (value.next === "redirect") return c.redirect(value.location, c.req.method === "POST" ? 303 : 302);
  const { name, byName } = value;
  const app = new URL(value.origin).host;
  const another = new URLSearchParams(query).get("prompt") === "login" && c.req.method === "GET";
  if (name !== null && !(byName && another)) {
    return c.html(signInPage({ kind: "continue", app, query, name, byName }), 200, policy);
  }
  if (!byName) return c.html(signInPage({ kind: "no-sign-in" }), 403, policy);
  return c.html(signInPage({ kind: "name", app, query, mistake }), mistake === undefined ? 200 : 400, policy);
}
