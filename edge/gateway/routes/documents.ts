import { Hono } from "hono";
import { contentResponse } from "../../datastore/content.ts";
import { readBody, readJson, requireType, SMALL_BODY } from "../body.ts";
import type { GatewayEnv } from "../context.ts";
import { Refused, unwrap } from "../problem.ts";

/** A completion names up to 10,000 parts. */
const COMPLETION = 2 * 1024 * 1024;
const OCTETS = "application/octet-stream";

/** `/documents`: ciphertext in and out, in parts and by ranges. Bodies stream through. */
export function documents(): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();

  routes.get("/", async (c) => {
    const { account, cursor } = c.req.query();
    return c.json(unwrap(await c.env.DATASTORE.list(c.var.caller, account, cursor)));
  });

  routes.post("/", async (c) => {
    const body = await readJson(c.req.raw);
    const { account, id } = Object(body) as { account?: unknown; id?: unknown };
    return c.json(unwrap(await c.env.DATASTORE.create(c.var.caller, account, id)), 201);
  });

  routes.put("/:id/parts/:part{[0-9]{1,5}}", async (c) => {
    const { id, part } = c.req.param();
    requireType(c.req.raw, OCTETS);
    const { body } = c.req.raw;
    const announced = c.req.header("content-length") ?? "";
    const length = Number(announced);
    if (body === null || !/^\d{1,15}$/.test(announced)) throw new Refused("bad-request");
    return c.json(unwrap(await c.env.DATASTORE.uploadPart(c.var.caller, id, Number(part), length, body)));
  });

  routes.put("/:id/metadata", async (c) => {
    requireType(c.req.raw, OCTETS);
    const message = await readBody(c.req.raw, SMALL_BODY);
    unwrap(await c.env.DATASTORE.putMetadata(c.var.caller, c.req.param("id"), message));
    return c.body(null, 204);
  });

  routes.post("/:id/complete", async (c) => {
    const body = await readJson(c.req.raw, COMPLETION);
    return c.json(unwrap(await c.env.DATASTORE.complete(c.var.caller, c.req.param("id"), body)));
  });

  routes.get("/:id/content", async (c) => {
    const range = c.req.header("range") ?? null;
    return contentResponse(unwrap(await c.env.DATASTORE.content(c.var.caller, c.req.param("id"), range)));
  });

  routes.get("/:id/metadata", async (c) =>
    contentResponse(unwrap(await c.env.DATASTORE.metadata(c.var.caller, c.req.param("id")))),
  );

  routes.delete("/:id", async (c) => {
    unwrap(await c.env.DATASTORE.delete(c.var.caller, c.req.param("id")));
    return c.body(null, 204);
  });
  return routes;
}
