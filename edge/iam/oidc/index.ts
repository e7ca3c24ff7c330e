/**
 * edge/iam/oidc: the relying party. A person is sent to the tenant's OpenID Connect provider and comes back with a code
 * (authorization code, PKCE, nonce, `iss`); what the provider says of them is verified, and nothing is decided here. May
 * import: protocol/*.ts, edge/*.ts, jose. Imported by edge/iam.
 */
export { ProviderError, type ProviderFailure } from "./failure.ts";
export { Providers } from "./provider.ts";
export { type Identified, type Leave, RelyingParty } from "./relying-party.ts";
export { type SignInSecrets, signInSecrets } from "./transaction.ts";
