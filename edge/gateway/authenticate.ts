import { createMiddleware } from "hono/factory";
import { decodeProtectedHeader } from "jose";
import { seconds } from "#protocol/clock.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import type { Site } from "../tenants.ts";
import { type AccessToken, dpopToken, verifyAccessToken } from "./access-token.ts";
import { type GatewayEnv, publicUrl, tenantOf } from "./context.ts";
import { verifyProof } from "./dpop.ts";
import { httpFacts } from "./http-facts.ts";
import { Refused, unwrap } from "./problem.ts";
import { TokenKeys } from "./token-keys.ts";

/**
 * Lets a client through that has an access token for this origin (a custodian on an app's, an instance on the vault's) and proves possession of its key for this request
 * (RFC 9449 §7), and sets `caller`. All that can be checked without state comes first; the proof is used up last.
 */
export function authenticate(keys = new TokenKeys()) {
  return createMiddleware<GatewayEnv>(async function authenticate(c, next) {
    const { requestId, site, origins } = c.var;
    const tenant = tenantOf(c);
    const now = seconds(Date.now());
    const accessToken = dpopToken(c.req.header("authorization"));
    if (accessToken === undefined) throw new Refused("invalid-token");
    const key = await keys.find(keyId(accessToken), () => c.env.IAM.keys({ tenant }));
    const expected = { key, issuer: origins.vault, audience: site.origin, now };
    const claims = await verifyAccessToken(accessToken, expected);
    const { method } = c.req;
    const proof = await verifyProof(c.req.header("dpop"), { method, url: publicUrl(c), accessToken }, now);
    if (proof.jkt !== claims.jkt) throw new Refused("invalid-token");
    if (claims.tenant !== tenant) throw new Refused("invalid-token");
    const http = httpFacts(c.req.raw);
    const caller = { ...callerOf(site, { ...claims, tenant }, requestId), ...(http && { http }) };
    const { jkt, jti, expires } = proof;
    const object = c.env.GATEWAY_OBJECT.getByName(`${tenant}/${claims.user}`);
    unwrap(await object.useProof({ jkt, jti, expires, requestId }));
    c.set("caller", caller);
    await next();
  });
}

/** Custodians ask on their app's origin, instances on the vault's. */
function callerOf(site: Site, token: AccessToken, requestId: string): Caller | InstanceCaller {
  const { instance, ...claims } = token;
  if (site.name === "app" && instance === undefined) return { ...claims, requestId };
  const app = site.tenant.apps.find(({ id }) => id === claims.client);
  if (site.name === "app" || instance === undefined || app === undefined) throw new Refused("invalid-token");
  const { id, custodianJkt: jkt } = instance;
  return { ...claims, jkt, origin: app.origin, instance: id, requestId };
}

/** Which key a token claims to be signed by. */
function keyId(token: string): string {
  try {
    const { kid } = decodeProtectedHeader(token);
    if (typeof kid === "string") return kid;
  } catch {
    // Said below.
  }
  throw new Refused("invalid-token");
}
