import type { GatewayContext } from "./context.ts";
import { integrityPolicy } from "./headers.ts";
import { Refused } from "./problem.ts";

/** Names that carry a hash of their content never change it. */
const HASHED = /\.[0-9a-zA-Z]{8,}\.[a-z0-9]+$/;

/** A file of the site's folder. `policy` goes with documents. Throws `Refused` `not-found`. */
export async function serveAsset(c: GatewayContext, name: string, policy?: string): Promise<Response> {
  const request = new Request(new URL(`/${c.var.site.name}/${name}`, "https://assets.invalid"), {
    method: c.req.method,
    headers: pick(c.req.raw.headers, ["if-none-match"]),
  });
  const found = await c.env.ASSETS.fetch(request);
  if (found.status !== 200 && found.status !== 304) {
    await found.body?.cancel();
    throw new Refused("not-found");
  }
  const headers = pick(found.headers, ["content-type", "etag", "content-length"]);
  headers.set("cache-control", HASHED.test(name) ? "public, max-age=31536000, immutable" : "no-cache");
  if (policy !== undefined) {
    headers.set("content-security-policy", policy);
    headers.set("integrity-policy", integrityPolicy);
  }
  return new Response(found.body, { status: found.status, headers });
}

function pick(headers: Headers, names: string[]): Headers {
  const picked = new Headers();
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) picked.set(name, value);
  }
  return picked;
}
