import { Hono } from "hono";
import { serveAsset } from "../assets.ts";
import { readJson } from "../body.ts";
import type { GatewayContext, GatewayEnv } from "../context.ts";
import { clearSessionCookie, sessionCookie } from "../cookie.ts";
import { vaultPolicy } from "../headers.ts";
import { Refused, unwrap } from "../problem.ts";
import { ownOrigin, vaultPages } from "./vault-pages.ts";

/**
 * The vault's origin: its document, the pages that ask, and enrolment, which takes cookie and Origin together (M13).
 * Without `signInByName` there is no such route: what does not exist cannot be talked into anything.
 */
export function vaultSite(options: { signInByName: boolean }): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.get("/", (c) => serveAsset(c, "index.html", vaultPolicy(c.var.origins)));
  site.route("/", vaultPages(options));

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

  // An app may end its own sign-in and no other's; the vault itself ends the session. The answer is nothing that an app
  // could read.
  site.post("/sign-out", async (c) => {
    const { vault, apps } = c.var.origins;
    const origin = c.req.header("origin");
    if (origin === undefined || ![vault, ...apps].includes(origin)) throw new Refused("foreign-origin");
    const app = origin === vault ? null : origin;
    const cookie = sessionCookie(c);
    if (cookie !== null) unwrap(await c.env.IAM.signOut({ cookie, app, requestId: c.var.requestId }));
    if (app === null) clearSessionCookie(c);
    return c.body(null, 204, { "cross-origin-resource-policy": "cross-origin" });
  });

  // Whom the cookie stands for: the microservice holds the custodian's name that a page tells it against this (M13), and
  // ends what is of another session.
  site.get("/session", async (c) => {
    const from = c.req.header("sec-fetch-site") ?? "same-origin";
    const origin = c.req.header("origin") ?? c.var.origins.vault;
    if (from !== "same-origin" || origin !== c.var.origins.vault) throw new Refused("foreign-origin");
    const { tenant, user, session } = await signedIn(c);
    return c.json({ tenant, user, session });
  });

  site.post("/ra/enrolments", ownOrigin(), async (c) => {
    const { session: _, ...by } = await signedIn(c);
    return c.json(unwrap(await c.env.RA.openEnrolment(by)), 201);
  });
  site.post("/ra/enrolments/:id", ownOrigin(), async (c) => {
    const { session: _, ...by } = await signedIn(c);
    const body = await readJson(c.req.raw);
    return c.json(unwrap(await c.env.RA.redeemEnrolment(by, c.req.param("id"), body)));
  });

  site.get("/:file{[\\w-]+\\.[\\w.-]+}", (c) => serveAsset(c, c.req.param("file")));
  return site;
}

async function signedIn(c: GatewayContext) {
  const cookie = sessionCookie(c);
  if (cookie === null) throw new Refused("no-session");
  const { requestId } = c.var;
  const { id, tenant, user } = unwrap(await c.env.IAM.session({ cookie, requestId }));
  return { session: id, tenant, user, origin: c.req.header("origin")!, requestId };
}
