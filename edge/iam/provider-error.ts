import { ProviderError } from "./oidc/index.ts";

/** What failed with a provider. The operator's log says why; anything else that fails is no affair of the provider's. */
export function providerError(error: unknown, requestId?: string): ProviderError {
  if (!(error instanceof ProviderError)) throw error;
  const { failure, message: reason } = error;
  console.warn(JSON.stringify({ event: "identity-provider", failure, reason, requestId }));
  return error;
}
