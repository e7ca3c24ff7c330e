import { fits, list, open, text } from "#protocol/shape.ts";
import { isEndpoint, type OidcSettings } from "../../oidc.ts";
import { ProviderError } from "./failure.ts";

/** What of a provider's metadata counts here (OpenID Connect Discovery 1.0 §3, RFC 9207 §3, RP-Initiated Logout 1.0 §2.1). */
export type Metadata = {
  authorization: string;
  token: string;
  keys: string;
  /** Null where it has none. */
  logout: string | null;
  /** Asymmetric algorithms that it signs ID tokens with, of those that are known here. */
  algorithms: string[];
  /** Whether each of its responses says whose it is. */
  saysIssuer: boolean;
  /** How a client shows its secret. */
  authentication: "client_secret_basic" | "client_secret_post";
};

/** No `none` and nothing symmetric, whatever a provider offers (RFC 8725 §3.1). */
const ASYMMETRIC = [
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
  "EdDSA",
  "Ed25519",
];

const names = list(text(0, 256), 0, 200);
const address = text(1, 2048);
const document = open({
  issuer: text(1, 2048),
  authorization_endpoint: address,
  token_endpoint: address,
  jwks_uri: address,
  response_types_supported: names,
});
const optional = {
  algorithms: open({ id_token_signing_alg_values_supported: names }),
  challenges: open({ code_challenge_methods_supported: names }),
  authentication: open({ token_endpoint_auth_methods_supported: names }),
  logout: open({ end_session_endpoint: address }),
};

/** Where a provider's metadata are (OpenID Connect Discovery 1.0 §4). */
export function metadataAddress(issuer: string): string {
  return `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}

/** Reads metadata that were asked for. Throws `ProviderError` `unavailable` for those of another issuer, or of another kind. */
export function readMetadata(found: unknown, { issuer }: OidcSettings, strict: boolean): Metadata {
  const wrong = (what: string) => new ProviderError("unavailable", `the provider's metadata: ${what}`);
  if (!fits(document, found)) throw wrong("not those of a provider");
  if (found.issuer !== issuer) throw wrong("of another issuer");
  const endpoints = [found.authorization_endpoint, found.token_endpoint, found.jwks_uri];
  if (!endpoints.every((endpoint) => isEndpoint(endpoint, strict)))
    throw wrong("an address that is not HTTPS");
  if (!found.response_types_supported.includes("code")) throw wrong("no authorization code");
  const challenges = fits(optional.challenges, found) ? found.code_challenge_methods_supported : ["S256"];
  if (!challenges.includes("S256")) throw wrong("no PKCE with S256");
  const signed = fits(optional.algorithms, found) ? found.id_token_signing_alg_values_supported : ["RS256"];
  const algorithms = ASYMMETRIC.filter((algorithm) => signed.includes(algorithm));
  if (algorithms.length === 0) throw wrong("no asymmetric algorithm");
  const shown = fits(optional.authentication, found)
    ? found.token_endpoint_auth_methods_supported
    : ["client_secret_basic"];
  const logout = fits(optional.logout, found) ? found.end_session_endpoint : null;
  return {
    authorization: found.authorization_endpoint,
    token: found.token_endpoint,
    keys: found.jwks_uri,
    logout: isEndpoint(logout, strict) ? logout : null,
    algorithms,
    saysIssuer: Object(found).authorization_response_iss_parameter_supported === true,
    authentication: shown.includes("client_secret_basic") ? "client_secret_basic" : "client_secret_post",
  };
}
