import { Hono } from "hono";
import { serveAsset } from "../assets.ts";
import { authenticate } from "../authenticate.ts";
import { readJson } from "../body.ts";
import type { GatewayEnv } from "../context.ts";
import { appPolicy } from "../headers.ts";
import { unwrap } from "../problem.ts";
import { documents } from "./documents.ts";
import { token } from "./token.ts";

/** An app's origin: the page, the token endpoint, and the REST interface behind DPoP. */
export function appSite(): Hono<GatewayEnv> {
  const site = new Hono<GatewayEnv>();
  site.get("/", (c) => serveAsset(c, "index.html", appPolicy(c.var.origins)));
  // RFC 9728: which authorization server this resource trusts.
  site.get("/.well-known/oauth-protected-resource", (c) =>
    c.json({
      resource: c.var.site.origin,
      authorization_servers: [c.var.origins.vault],
      // Our own member: a page must not speak of hardware where an emulator stands in for it.
      coffer_environment: c.env.COFFER_ENVIRONMENT,
      dpop_bound_access_tokens_required: true,
      dpop_signing_alg_values_supported: ["ES256"],
    }),
  );
  site.route("/token", token());

  site.use("/ra/*", authenticate());
  site.use("/kms/*", authenticate());
  // Hono's trailing wildcard takes "/documents" itself too; a second entry would use every proof up twice.
  site.use("/documents/*", authenticate());
  site.post("/ra/grants", async (c) => c.json(unwrap(await c.env.RA.grant(c.var.caller)), 201));
  site.get("/ra/instances", async (c) =>
    c.json({ instances: unwrap(await c.env.RA.instances(c.var.caller)) }),
  );
  site.delete("/ra/instances/:id", async (c) => {
    unwrap(await c.env.RA.revoke(c.var.caller, c.req.param("id")));
    return c.body(null, 204);
  });
  site.post("/kms/data-keys", async (c) => {
    const body = await readJson(c.req.raw);
    return c.json(unwrap(await c.env.KMS.dataKeys(c.var.caller, body)), 201);
  });
  site.post("/kms/rewrap", async (c) => {
    const body = await readJson(c.req.raw);
    return c.json(unwrap(await c.env.KMS.rewrap(c.var.caller, body)));
  });
  site.post("/kms/exports", async (c) => {
    const body = await readJson(c.req.raw);
    return c.json(unwrap(await c.env.KMS.orderExport(c.var.caller, body)), 201);
  });
  site.route("/documents", documents());

  site.get("/:file{[\\w-]+\\.[\\w.-]+}", (c) => serveAsset(c, c.req.param("file")));
  return site;
}
