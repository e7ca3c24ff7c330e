/** What tells clients where to go, and this contract itself. */

import { boolean, json, line, list, open } from "../shape.ts";
import type { Route } from "./route.ts";

const origin = line(512);
const origins = list(origin, 1, 64);
const words = list(line(64), 1, 16);

/** Whom the vault's loader may serve. */
export const vaultConfiguration = {
  site: "vault",
  method: "GET",
  path: "/configuration.json",
  authentication: "none",
  answer: { status: 200, json: open({ appOrigins: origins }) },
  problems: [],
} as const satisfies Route;

/** RFC 8414. */
export const authorizationServer = {
  site: "vault",
  method: "GET",
  path: "/.well-known/oauth-authorization-server",
  authentication: "none",
  answer: {
    status: 200,
    json: open({
      issuer: origin,
      authorization_endpoint: origin,
      token_endpoint: origin,
      response_types_supported: words,
      grant_types_supported: words,
      code_challenge_methods_supported: words,
      token_endpoint_auth_methods_supported: words,
      authorization_response_iss_parameter_supported: boolean,
      dpop_signing_alg_values_supported: words,
    }),
  },
  problems: [],
} as const satisfies Route;

/** RFC 9728: which authorization server this resource trusts. */
export const protectedResource = {
  site: "app",
  method: "GET",
  path: "/.well-known/oauth-protected-resource",
  authentication: "none",
  answer: {
    status: 200,
    json: open({
      resource: origin,
      authorization_servers: origins,
      /** Our own member: a page must not speak of hardware where an emulator stands in for it. */
      coffer_environment: line(64),
      dpop_bound_access_tokens_required: boolean,
      dpop_signing_alg_values_supported: words,
    }),
  },
  problems: [],
} as const satisfies Route;

/** This contract. */
export const openApi = {
  site: "app",
  method: "GET",
  path: "/openapi.json",
  authentication: "none",
  answer: { status: 200, json: json(32, 50_000) },
  problems: [],
} as const satisfies Route;
