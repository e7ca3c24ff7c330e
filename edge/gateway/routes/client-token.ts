import { seconds } from "#protocol/clock.ts";
import { clientTokenRequest } from "#protocol/contract/index.ts";
import { fits } from "#protocol/shape.ts";
import { publicUrl, tenantOf } from "../context.ts";
import { verifyProof } from "../dpop.ts";
import { Refused, refused } from "../problem.ts";
import type { ContractHandlers } from "../serve.ts";
import { OAUTH, oauth } from "./oauth-errors.ts";

/** RFC 7523 §2.2: who holds an application server's registered key. Whether it does, the client's own object says; there the assertion is used up. */
export const clientToken: ContractHandlers["clientToken"] = async ({ c, body: form }) => {
  const request: unknown = Object.fromEntries(form);
  if (form.get("grant_type") !== "client_credentials")
    throw new Refused("bad-request", { error: "unsupported_grant_type" });
  if (!fits(clientTokenRequest, request)) throw oauth("bad-request");
  const now = seconds(Date.now());
  const { jkt, key, jti, expires } = await verifyProof(
    c.req.header("dpop"),
    { method: "POST", url: publicUrl(c) },
    now,
  ).catch(() => {
    throw oauth("invalid-proof");
  });
  const { requestId, site } = c.var;
  const { client_assertion: assertion, client_id: client } = request;
  const result = await c.env.IAM.clientToken({
    tenant: tenantOf(c),
    ...{ assertion, ...(client !== undefined && { client }), origin: site.origin },
    ...{ proof: { jkt, key, jti, expires }, requestId },
  });
  if (!result.ok) throw refused(result.problem, OAUTH[result.problem.code]);
  return c.json(result.value, 200, { pragma: "no-cache" });
};
