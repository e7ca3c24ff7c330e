import { openApiDocument, token as tokenRoute } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { ok } from "../../result.ts";
import { tenantOf } from "../context.ts";
import { clearSessionCookie, sessionCookie } from "../cookie.ts";
import { Refused, unwrap } from "../problem.ts";
import type { ContractHandlers } from "../serve.ts";
import { clientToken } from "./client-token.ts";
import { token } from "./token.ts";

/** Tokens, the vault's session, and what tells clients where to go. */
export const signIn = {
  token,
  clientToken,

  async session({ by: { tenant, user, session } }) {
    return ok({ tenant, user, session });
  },

  // The answer is nothing that an app could read.
  async signOut({ c }) {
    const { vault, apps } = c.var.origins;
    const origin = c.req.header("origin");
    if (origin === undefined || ![vault, ...apps].includes(origin)) throw new Refused("foreign-origin");
    const app = origin === vault ? null : origin;
    const cookie = sessionCookie(c);
    const { requestId } = c.var;
    if (cookie !== null) unwrap(await c.env.IAM.signOut({ tenant: tenantOf(c), cookie, app, requestId }));
    if (app === null) clearSessionCookie(c);
    return c.body(null, 204, { "cross-origin-resource-policy": "cross-origin" });
  },

  // Kept by the browser (asked for again each time), so that the vault loads offline too (M18). WebKit keeps nothing without a validator.
  async vaultConfiguration({ c }) {
    const appOrigins = c.var.origins.apps;
    const etag = `"${await digest(appOrigins.join(" "))}"`;
    return c.json({ appOrigins }, 200, { "cache-control": "no-cache", etag });
  },

  async authorizationServer({ c }) {
    const { vault, apps } = c.var.origins;
    return ok({
      issuer: vault,
      authorization_endpoint: `${vault}/authorize`,
      token_endpoint: `${apps[0]}${tokenRoute.path}`,
      response_types_supported: ["code"],
      grant_types_supported: ["authorization_code", "refresh_token"],
      code_challenge_methods_supported: ["S256"],
      token_endpoint_auth_methods_supported: ["none"],
      authorization_response_iss_parameter_supported: true,
      dpop_signing_alg_values_supported: ["ES256"],
    });
  },

  async protectedResource({ c }) {
    return ok({
      resource: c.var.site.origin,
      authorization_servers: [c.var.origins.vault],
      coffer_environment: c.env.COFFER_ENVIRONMENT,
      dpop_bound_access_tokens_required: true,
      dpop_signing_alg_values_supported: ["ES256"],
    });
  },

  async openApi({ c }) {
    return ok(openApiDocument({ app: c.var.site.origin, vault: c.var.origins.vault }));
  },
} satisfies Partial<ContractHandlers>;
