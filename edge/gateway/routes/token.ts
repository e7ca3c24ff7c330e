import { seconds } from "#protocol/clock.ts";
import { tokenRequest } from "#protocol/contract/index.ts";
import { fits } from "#protocol/shape.ts";
import type { TokenRequest } from "../../iam/tokens.ts";
import { publicUrl, tenantOf } from "../context.ts";
import { verifyProof } from "../dpop.ts";
import { Refused, refused } from "../problem.ts";
import type { ContractHandlers } from "../serve.ts";
import { OAUTH, oauth } from "./oauth-errors.ts";

/** Tokens are bound to the DPoP key of the proof that comes with the request; the proof is used up with the grant. */
export const token: ContractHandlers["token"] = async ({ c, body: form }) => {
  const { grant, client } = readGrant(form);
  const now = seconds(Date.now());
  const proof = await verifyProof(c.req.header("dpop"), { method: "POST", url: publicUrl(c) }, now).catch(
    () => {
      throw oauth("invalid-proof");
    },
  );
  const { requestId, site } = c.var;
  const asked = { grant, client, origin: site.origin, proof, requestId };
  const result = await c.env.IAM.token({ tenant: tenantOf(c), ...asked });
  if (!result.ok) throw refused(result.problem, OAUTH[result.problem.code]);
  return c.json(result.value, 200, { pragma: "no-cache" });
};

function readGrant(form: Map<string, string>): Pick<TokenRequest, "grant" | "client"> {
  const type = form.get("grant_type");
  if (type !== "authorization_code" && type !== "refresh_token")
    throw new Refused("bad-request", { error: "unsupported_grant_type" });
  const { length } = form.get("client_id") ?? "";
  if (length < 1 || length > 512) throw oauth("invalid-client");
  const request: unknown = Object.fromEntries(form);
  if (!fits(tokenRequest, request)) throw oauth("bad-request");
  const { client_id: client } = request;
  if (request.grant_type === "refresh_token")
    return { client, grant: { type: request.grant_type, token: request.refresh_token } };
  const { code, code_verifier: verifier, redirect_uri: redirectUri } = request;
  return { client, grant: { type: request.grant_type, code, verifier, redirectUri } };
}
