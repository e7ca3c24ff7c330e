import { Hono } from "hono";
import type { ProblemCode } from "#protocol/contract/index.ts";
import type { TokenRequest } from "../../iam/tokens.ts";
import { readForm } from "../body.ts";
import { type GatewayEnv, publicUrl } from "../context.ts";
import { verifyProof } from "../dpop.ts";
import { Refused, refused } from "../problem.ts";

/** OAuth's names of what may go wrong here (RFC 6749 §5.2, RFC 9449 §5). */
const OAUTH: Partial<Record<ProblemCode, string>> = {
  "bad-request": "invalid_request",
  "invalid-client": "invalid_client",
  "invalid-grant": "invalid_grant",
  "invalid-proof": "invalid_dpop_proof",
};

/** `POST /token`. Bound to the DPoP key of the proof that comes with it; the proof is used up with the grant. */
export function token(): Hono<GatewayEnv> {
  const routes = new Hono<GatewayEnv>();
  routes.post("/", async (c) => {
    const form = await readForm(c.req.raw);
    const grant = readGrant(form);
    const client = form.get("client_id");
    if (client === undefined || client.length > 512) throw oauth("invalid-client");
    const now = Math.floor(Date.now() / 1000);
    const proof = await verifyProof(c.req.header("dpop"), { method: "POST", url: publicUrl(c) }, now).catch(
      () => {
        throw oauth("invalid-proof");
      },
    );
    const { requestId, site } = c.var;
    const result = await c.env.IAM.token({ grant, client, origin: site.origin, proof, requestId });
    if (!result.ok) throw refused(result.problem, OAUTH[result.problem.code]);
    return c.json(result.value, 200, { pragma: "no-cache" });
  });
  return routes;
}

function readGrant(form: Map<string, string>): TokenRequest["grant"] {
  const value = (name: string): string => {
    const text = form.get(name);
    if (text === undefined || text === "" || text.length > 512) throw oauth("bad-request");
    return text;
  };
  switch (form.get("grant_type")) {
    case "authorization_code": {
      const verifier = value("code_verifier");
      // RFC 7636 §4.1
      if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) throw oauth("bad-request");
      return {
        type: "authorization_code",
        code: value("code"),
        verifier,
        redirectUri: value("redirect_uri"),
      };
    }
    case "refresh_token":
      return { type: "refresh_token", token: value("refresh_token") };
    default:
      throw new Refused("bad-request", { error: "unsupported_grant_type" });
  }
}

function oauth(code: ProblemCode): Refused {
  const error = OAUTH[code];
  return new Refused(code, error === undefined ? {} : { error });
}
